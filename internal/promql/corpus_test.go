package promql_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"lookout/internal/dashboard"
	"lookout/internal/promql"
	"lookout/internal/rules"
)

// TestCorpus counts how much of a directory of real dashboards and rule files is refused. Give it one:
//
//	LOOKOUT_CORPUS=dir go test ./internal/promql -run TestCorpus -v
//
// It prints every refusal, for a person to judge whether the query or the parser is wrong; the bar is one wrong refusal in a thousand. README.md beside this file
// says how to make such a directory. Without one it runs over the repository's own dashboards and rules, none of which may be refused.
func TestCorpus(t *testing.T) {
	dirs := []string{os.Getenv("LOOKOUT_CORPUS")}
	if dirs[0] == "" {
		root := filepath.Join("..", "..")
		dirs = []string{filepath.Join(root, "dashboards"), filepath.Join(root, "alerts"), filepath.Join(root, "modules", "prometheus", "rules")}
	}
	found, err := dashboard.FindExt(dirs, ".json", ".yaml", ".yml", ".rules")
	if err != nil {
		t.Fatal(err)
	}
	p := promql.NewParser()
	var boards, ruleFiles, panels, exprs, refused, distinctRefused, other int
	languages := map[promql.Language]int{}
	distinct := map[string]bool{}
	start := time.Now()
	seen := func(e *promql.Expr, pos func(int) dashboard.Position) {
		exprs++
		languages[e.Language]++
		fresh := !distinct[e.Text]
		distinct[e.Text] = true
		switch {
		case e.Err != nil:
			refused++
			if fresh {
				distinctRefused++
				fmt.Printf("%s: %s\n\t%s\n", pos(e.Err.Offset), e.Err, e.Text)
			}
		case e.Language != promql.PromQL && fresh && os.Getenv("LOOKOUT_CORPUS_LANGUAGES") != "":
			fmt.Printf("%s: %s by %s\n\t%s\n", pos(0), e.Language, e.Evidence, e.Text)
		}
	}
	for _, f := range found.Files {
		if filepath.Ext(f) != ".json" {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			read := rules.Read(f, data)
			if !read.Holds() {
				other++
				continue
			}
			ruleFiles++
			for _, r := range read.Rules() {
				seen(p.Parse(r.Expr, nil), r.Position)
			}
			continue
		}
		loaded := dashboard.LoadFile(f)
		if loaded.Err != nil {
			other++
			continue
		}
		d := loaded.Dashboard
		boards++
		panels += len(d.Panels)
		for q := range d.Queries() {
			if q.Family == dashboard.FamilyLoki {
				languages[promql.LogQL]++
				continue
			}
			seen(p.Parse(q.Text, func(name string) bool { return d.Variable(name) != nil }), q.Pos)
		}
	}
	t.Logf("%d dashboards, %d panels, %d rule files, %d expressions, %d distinct: %d distinct refused (%.2f %%), %v; %d other files; %s", boards, panels, ruleFiles, exprs,
		len(distinct), distinctRefused, 100*float64(distinctRefused)/float64(max(len(distinct), 1)), languages, other, time.Since(start).Round(time.Millisecond))
	if exprs == 0 {
		t.Error("there was nothing to parse")
	}
	if refused > 0 && os.Getenv("LOOKOUT_CORPUS") == "" {
		t.Errorf("%d of our own queries are refused", refused)
	}
}
