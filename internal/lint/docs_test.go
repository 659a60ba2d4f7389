package lint

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lookout/internal/dashboard"
	"lookout/internal/finding"
	"lookout/internal/promql"
	"lookout/internal/rules"
)

const docs = "../../docs/lint"

var fence = regexp.MustCompile("(?s)```([a-z ]+)\n(.*?)\n```")

// wrap makes a dashboard of an example: promql is a query, "json panel" a panel, "json files" dashboards separated by lines of ---, and "json applied" those of this repository:
// their uid is their file's name if it begins with "same-".
func wrap(kind, code string) []string {
	const variables = `"templating": {"list": [
		{"name": "datasource", "type": "datasource", "query": "prometheus"},
		{"name": "job", "type": "query", "query": "label_values(up, job)", "refresh": 2, "multi": true},
		{"name": "instance", "type": "query", "query": "label_values(up, instance)", "refresh": 2}]}`
	panel := func(p string) []string {
		return []string{`{"title": "T", ` + variables + `, "panels": [` + p + `]}`}
	}
	switch kind {
	case "promql":
		return panel(`{"type": "stat", "title": "A", "datasource": {"type": "prometheus", "uid": "${datasource}"}, "targets": [{"refId": "A", "expr": ` + dashboard.NewString(code).Compact() + `}]}`)
	case "json panel":
		return panel(code)
	case "json files", "yaml files", "json applied":
		return strings.Split(code, "\n---\n")
	}
	return []string{code}
}

// findings lints an example and gives what one rule says about it.
func findings(t *testing.T, rule, kind, code string) []finding.Finding {
	t.Helper()
	return findingsWith(t, DefaultConfig(), rule, kind, code)
}

func findingsWith(t *testing.T, cfg Config, rule, kind, code string) []finding.Finding {
	t.Helper()
	l := New(cfg, promql.NewParser())
	for i, src := range wrap(kind, code) {
		if kind == "yaml" || kind == "yaml files" {
			f := rules.Read(fmt.Sprintf("../../alerts/example-%d.yaml", i), []byte(src)) // where this repository has runbooks and dashboards
			if f.Holds() {
				l.RuleFile(f)
				continue
			}
			for _, p := range f.Problems {
				l.Unreadable(string(p.Kind), p.Position, p.Message)
			}
			continue
		}
		name := fmt.Sprintf("example-%d.json", i)
		if kind == "json applied" {
			name = "../../dashboards/go-services/" + name
		}
		d, err := dashboard.Load(name, []byte(src))
		if at, msg, ok := dashboard.Problem(err); ok {
			l.Unreadable(map[bool]string{true: UnreadableID, false: JSONSyntaxID}[errors.Is(err, dashboard.ErrNotDashboard)], at, msg)
			continue
		}
		require.NoError(t, err, src)
		l.Dashboard(d, nil)
	}
	var out []finding.Finding
	for _, f := range l.Result().Findings {
		if f.Rule == rule {
			require.NotZero(t, f.Line)
			require.NotEmpty(t, f.Message)
			out = append(out, f)
		}
	}
	return out
}

func TestEachRuleHasAPageWhoseExamplesAreTrue(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(docs, "*.md"))
	require.NoError(t, err)
	require.Len(t, pages, len(Rules())+1, "a page for each rule, and the README")
	index, err := os.ReadFile(filepath.Join(docs, "README.md"))
	require.NoError(t, err)
	for _, r := range Rules() {
		t.Run(r.ID, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join(docs, r.ID+".md"))
			require.NoError(t, err)
			page := string(data)
			require.True(t, strings.HasPrefix(page, "# "+r.ID+"\n\n**"+string(r.Severity)+"** · "+r.Summary+"\n"), "the page begins with id, severity and summary")
			require.Contains(t, string(index), fmt.Sprintf("| [%s](%s.md) | %s | %s |", r.ID, r.ID, r.Severity, r.Summary))
			before, rest, ok := strings.Cut(page, "\n## Fails\n")
			require.True(t, ok)
			cfg := DefaultConfig()
			for _, e := range fence.FindAllStringSubmatch(before, -1) {
				if e[1] == "yaml config" {
					cfg, err = ParseConfig(".lookout.yaml", []byte(e[2]))
					require.NoError(t, err)
				}
			}
			fails, passes, ok := strings.Cut(rest, "\n## Passes\n")
			require.True(t, ok)
			for _, side := range []struct {
				text string
				want bool
			}{{fails, true}, {passes, false}} {
				examples := fence.FindAllStringSubmatch(side.text, -1)
				require.NotEmpty(t, examples)
				for _, e := range examples {
					found := findingsWith(t, cfg, r.ID, e[1], e[2])
					require.Equal(t, side.want, len(found) > 0, "%s\n%v", e[2], found)
				}
			}
		})
	}
}

func TestTheExamplesOfSilencingAreTrue(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(docs, "README.md"))
	require.NoError(t, err)
	examples := fence.FindAllStringSubmatch(string(data), -1)
	require.Len(t, examples, 3)
	for _, e := range examples[:2] {
		l := New(DefaultConfig(), promql.NewParser())
		d, err := dashboard.Load("x.json", []byte(wrap(e[1], e[2])[0]))
		require.NoError(t, err)
		l.Dashboard(d, nil)
		for _, f := range l.Result().Findings {
			silenced := map[string]string{"json panel": "panel-unit", "promql": "counter-without-rate"}[e[1]]
			require.NotContains(t, []string{silenced, "silence-reason"}, f.Rule)
		}
		if e[1] == "promql" {
			require.Equal(t, 1, l.result.Silenced)
		}
	}
	cfg, err := ParseConfig("x.yaml", []byte(examples[2][2]))
	require.NoError(t, err)
	require.Len(t, cfg.Silences, 1)
}
