package promql_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"lookout/internal/dashboard"
	"lookout/internal/promql"
)

// TestCorpus counts how much of a directory of real dashboards is refused. Give it one:
//
//	LOOKOUT_CORPUS=dir go test ./internal/promql -run TestCorpus -v
//
// It prints every refusal, for a person to judge whether the query or the parser is wrong. Without a directory it runs over the repository's own
// dashboards, none of which may be refused.
func TestCorpus(t *testing.T) {
	dir := os.Getenv("LOOKOUT_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "dashboards")
		if _, err := os.Stat(dir); err != nil {
			t.Fatalf("the repository's dashboards: %v", err)
		}
	}
	found, err := dashboard.Find([]string{dir})
	if err != nil {
		t.Fatal(err)
	}
	p := promql.NewParser()
	var files, panels, exprs, refused, unread int
	languages := map[promql.Language]int{}
	start := time.Now()
	for _, f := range found.Files {
		loaded := dashboard.LoadFile(f)
		if loaded.Err != nil {
			unread++
			continue
		}
		d := loaded.Dashboard
		files++
		panels += len(d.Panels)
		for q := range d.Queries() {
			if q.Family == dashboard.FamilyLoki {
				languages[promql.LogQL]++
				continue
			}
			e := p.Parse(q.Text, func(name string) bool { return d.Variable(name) != nil })
			exprs++
			languages[e.Language]++
			if e.Err != nil {
				refused++
				fmt.Printf("%s: %s\n\t%s\n", q.Pos(e.Err.Offset), e.Err, q.Text)
			} else if e.Language != promql.PromQL && os.Getenv("LOOKOUT_CORPUS_LANGUAGES") != "" {
				fmt.Printf("%s: %s by %s\n\t%s\n", q.Pos(0), e.Language, e.Evidence, q.Text)
			}
		}
	}
	t.Logf("%d dashboards, %d panels, %d expressions: %d refused (%.2f %%), %v; %d other files; %s", files, panels, exprs, refused,
		100*float64(refused)/float64(max(exprs, 1)), languages, unread, time.Since(start).Round(time.Millisecond))
	if refused > 0 && os.Getenv("LOOKOUT_CORPUS") == "" {
		t.Errorf("%d of our own queries are refused", refused)
	}
}
