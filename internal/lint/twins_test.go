package lint

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lookout/internal/dashboard"
	"lookout/internal/dashboard/dashtest"
	"lookout/internal/promql"
)

var lineNumber = regexp.MustCompile(`on line \d+`)

// A classic dashboard and its V2 twin have the same findings.
func TestTwinsHaveTheSameFindings(t *testing.T) {
	said := func(d *dashboard.Dashboard) []string {
		l := New(DefaultConfig(), promql.NewParser())
		l.Dashboard(d, nil)
		var out []string
		for _, f := range l.Result().Findings {
			require.NotZero(t, f.Line, "%v", f)
			out = append(out, fmt.Sprintf("%s %s %q %s", f.Rule, f.Severity, f.Panel, lineNumber.ReplaceAllString(f.Message, "on line N")))
		}
		slices.Sort(out)
		return out
	}
	total := 0
	compare := func(name string, data []byte) {
		classic, err := dashboard.Load(name, data)
		if err != nil || classic.Form.IsV2() || len(classic.Doc.Duplicates) > 0 {
			return
		}
		root, losses := classic.ToV2()
		if len(losses) > 0 {
			return // what V2 cannot say has no findings there
		}
		twin, err := dashboard.Load(name, root.JSON())
		require.NoError(t, err)
		if !assert.Equal(t, said(classic), said(twin), "%s\n%s", name, data) {
			return
		}
		total += len(said(twin))
	}
	for _, f := range dashtest.Collection(2, 60, dashtest.Metrics(2, 200)) {
		compare(f.Name, f.Data)
	}
	// All that fails in the pages of the rules.
	for _, r := range Rules() {
		if r.ID == "datasource-mismatch" || r.ID == "duplicate-panel-id" || r.ID == "dashboard-panels" {
			continue // in V2 a panel has no datasource that could differ from those of its queries, names of elements are unique, and there always are some
		}
		page, err := os.ReadFile(filepath.Join(docs, r.ID+".md"))
		require.NoError(t, err)
		for _, e := range fence.FindAllStringSubmatch(string(page), -1) {
			for _, src := range wrap(e[1], e[2]) {
				compare(r.ID, []byte(src))
			}
		}
	}
	require.Greater(t, total, 100)
}
