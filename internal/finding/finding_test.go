package finding

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lookout/internal/dashboard"
)

func TestTheJSONIsTheContract(t *testing.T) {
	r := Result{Findings: []Finding{}}
	var out strings.Builder
	require.NoError(t, r.Write(&out, "json", false))
	require.JSONEq(t, `{"summary":{"dashboards":0,"panels":0,"expressions":0,"alerts":0},"findings":[]}`, out.String())

	r.Findings = []Finding{{Rule: "r", Severity: Error, File: "f", Line: 3, Column: 4, Dashboard: "d", Panel: "p", Message: "<m>"}}
	out.Reset()
	require.NoError(t, r.Write(&out, "json", false))
	require.Contains(t, out.String(), "<m>")
	var raw struct {
		Findings []map[string]any `json:"findings"`
	}
	require.NoError(t, json.Unmarshal([]byte(out.String()), &raw))
	require.Equal(t, []map[string]any{{"rule": "r", "severity": "error", "file": "f", "line": 3.0, "column": 4.0, "dashboard": "d", "panel": "p", "message": "<m>"}}, raw.Findings)
}

func TestFormats(t *testing.T) {
	r := Result{Rules: []Rule{{"promql-syntax", Error, "Prometheus refuses the query."}, {"other", Info, "Other."}}, Findings: []Finding{{Rule: "promql-syntax", Severity: Error, File: "a,b.json", Line: 3, Column: 4, Dashboard: "d", Panel: "p|q", Message: "100% wrong\nhere | there"}}}
	write := func(format string) string {
		var b strings.Builder
		require.NoError(t, r.Write(&b, format, false))
		return b.String()
	}
	require.Contains(t, write("text"), `a,b.json:3:4: error: "p|q": 100% wrong`)
	require.Contains(t, write("github"), "::error file=a%2Cb.json,line=3,col=4,title=promql-syntax::p|q: 100%25 wrong%0Ahere | there\n")
	require.Contains(t, write("markdown"), `| 🔴 | `+"`a,b.json:3`"+` p\|q | 100% wrong here \| there | promql-syntax |`)
	var sarif struct {
		Version string
		Runs    []struct {
			Tool struct {
				Driver struct {
					Name  string
					Rules []struct{ ID string }
				}
			}
			Results []struct {
				RuleID, Level string
				Locations     []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           struct{ StartLine, StartColumn int }
					}
				}
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(write("sarif")), &sarif))
	require.Equal(t, "2.1.0", sarif.Version)
	require.Len(t, sarif.Runs[0].Tool.Driver.Rules, 2)
	require.Equal(t, "promql-syntax", sarif.Runs[0].Results[0].RuleID)
	require.Equal(t, 3, sarif.Runs[0].Results[0].Locations[0].PhysicalLocation.Region.StartLine)
}

// What says the same of several places is one line, the most frequent first within a severity, and no more lines than a person reads.
func TestGroupsFitAScreen(t *testing.T) {
	var r Result
	for i, name := range []string{"a_total", "b_total", "c_total", "d_total"} {
		r.Findings = append(r.Findings, Finding{Rule: "check-metric", Severity: Error, Panel: "P" + string(rune('0'+i)), Message: "nothing exposes " + name})
	}
	r.Findings = append(r.Findings,
		Finding{Rule: "panel-title", Severity: Warning, Message: "no title"},
		Finding{Rule: "check-label", Severity: Error, Panel: "Q", Message: `http_requests_total has no label "x"`},
		Finding{Rule: "panel-unit", Severity: Info, Message: "no unit"},
	)
	write := func(lines int) string {
		var b strings.Builder
		require.NoError(t, r.Groups(&b, lines))
		return b.String()
	}
	groups, _, _ := strings.Cut(write(10), "7 findings")
	require.Equal(t, `error   nothing exposes a_total (check-metric) and 3 more like it: "P0", "P1", "P2" and 1 more
error   http_requests_total has no label "x" (check-label): "Q"
warning no title (panel-title)
info    no unit (panel-unit)
`, groups)
	require.Contains(t, write(2), "(check-label): \"Q\"\n… and 2 findings of 2 other kinds\n7 findings in ")
}

func TestASilenceHidesWhatItNames(t *testing.T) {
	s := Silences{{Rule: "panel-unit", File: "vendor/**", Panel: "P", Reason: "theirs"}}
	require.NoError(t, s[0].Validate(func(string) bool { return true }))
	f := Finding{Rule: "panel-unit", File: "dashboards/vendor/a/x.json", Panel: "P"}
	require.True(t, s.Cover(f, "", "", nil))
	f.Panel = "Q"
	require.False(t, s.Cover(f, "", "", nil))
	// In a query's comment and in the file, for what is below; without a reason neither hides anything.
	require.True(t, Silences(nil).Cover(f, "", "up # lookout:ignore panel-unit: a count", nil))
	require.False(t, Silences(nil).Cover(f, "", "up # lookout:ignore panel-unit", nil))
	require.False(t, Silences(nil).Cover(f, "", `up{a="# lookout:ignore panel-unit: x"}`, nil))
	doc, err := dashboard.Parse("d.json", []byte(`{"x-lookout-ignore": {"panel-unit": "a count", "panel-title": " "}, "panels": [{}]}`))
	require.NoError(t, err)
	panel := doc.Root.Get("panels").At(0)
	require.True(t, Silences(nil).Cover(f, "", "", panel))
	f.Rule = "panel-title"
	require.False(t, Silences(nil).Cover(f, "", "", panel))
	f.Rule = SilenceReasonID
	require.False(t, Silences(nil).Cover(f, "", "", panel), "silencing itself is not silenced")

	require.ErrorContains(t, (&Silence{Rule: "x", Reason: "y"}).Validate(func(string) bool { return false }), "does not exist")
	require.ErrorContains(t, (&Silence{Rule: "x"}).Validate(func(string) bool { return true }), "has no reason")
}

func TestFixAppliesWhatDoesNotOverlap(t *testing.T) {
	fixed, n := Fix("abcdef", []Finding{{Fix: &Edit{4, 5, "E"}}, {Fix: &Edit{1, 3, "X"}}, {Fix: &Edit{2, 4, "no"}}, {}, {Fix: &Edit{5, 99, "no"}}})
	require.Equal(t, "aXdEf", fixed)
	require.Equal(t, 2, n)
}
