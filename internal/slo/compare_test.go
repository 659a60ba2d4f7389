package slo_test

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lookout/internal/mutate"
	"lookout/internal/rules"
	"lookout/internal/slo"
)

var histories = flag.Int("histories", 8, "how many random histories are compared with sloth's verdicts; `make slo-histories` takes 1,000")

const (
	// scrape is the minutes between two samples, days how long a history is.
	scrape, days = 2, 3
	// step is the minutes between two evaluations, each of which is compared: no alert waits, so what happens between them changes nothing.
	step = 97
	// So many histories are jobs of one test.
	together = 50
)

// Our alerts fire exactly when those of sloth do that were made of the same objective, whatever happens to the service; promtool evaluates both.
func TestVerdictsAreThoseOfSloth(t *testing.T) {
	promtool, err := mutate.FindPromtool("../..", os.Getenv)
	require.NoError(t, err)
	const seed = 12
	fires, evaluations := 0, days*24*60/step
	for first := 0; first < *histories; first += together {
		dir := t.TempDir()
		last := min(first+together, *histories)
		writeRules(t, dir)
		var input, expected strings.Builder
		for i := first; i < last; i++ {
			write(&input, i, rand.New(rand.NewPCG(seed, uint64(i))))
		}
		for n := 1; n <= evaluations; n++ {
			for _, kind := range []struct{ ours, theirs string }{{"critical", "page"}, {"warning", "ticket"}} {
				ours := fmt.Sprintf(`max by (job) (ALERTS{alertstate="firing", alertname=~"RequestsAvailability[0-9].*", severity=%q})`, kind.ours)
				theirs := fmt.Sprintf(`max by (job) (ALERTS{alertstate="firing", alertname="RequestsAvailability", sloth_severity=%q})`, kind.theirs)
				expect(&expected, fmt.Sprintf("(%[1]s unless %[2]s) or (%[2]s unless %[1]s)", ours, theirs), n*step)
				// Expecting that nothing fires makes promtool say what does.
				expect(&expected, theirs, n*step)
			}
		}
		out := test(t, promtool, dir, input.String(), expected.String())
		blocks := strings.Split(out, "expr: ")[1:]
		require.NotEmpty(t, blocks, "promtool says nothing of what fires:\n%.2000s", out)
		for _, block := range blocks {
			if strings.Contains(block, "unless") {
				t.Fatalf("histories %d to %d, seed %d: ours and sloth's differ: %.1500s", first, last-1, seed, block)
			}
			fires += strings.Count(block[max(0, strings.Index(block, "got:")):], "job=")
		}
	}
	all := *histories * evaluations * 2
	t.Logf("%d verdicts of %d histories are the same; in %d of them an alert fires", all, *histories, fires)
	require.Greater(t, fires, all/20, "hardly anything fires, so that the comparison says little")
	require.Less(t, fires, all*19/20, "nearly everything fires, so that the comparison says little")
}

// writeRules writes our rules and sloth's, of the same objective. Ours ask for no minimum of errors, which sloth does not know.
func writeRules(t *testing.T, dir string) {
	t.Helper()
	data, err := os.ReadFile("testdata/sloth.yaml")
	require.NoError(t, err)
	slos, err := slo.Read("sloth.yaml", data)
	require.NoError(t, err)
	slos[0].MinimumErrors = 0
	alerts, err := rules.Export([]*rules.File{rules.Read("alerts/slo.yaml", slo.Alerts("sloth.yaml", slos))}, rules.Target{})
	require.NoError(t, err)
	theirs, err := os.ReadFile("testdata/sloth.rules.yaml")
	require.NoError(t, err)
	for name, data := range map[string][]byte{"recordings.yaml": slo.Recordings("sloth.yaml", slos), "alerts.yaml": alerts, "theirs.yaml": theirs} {
		// Everything at the step of the test.
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), bytes.ReplaceAll(data, []byte("interval: 1m"), fmt.Appendf(nil, "interval: %dm", step)), 0o600))
	}
}

// write writes what happens to a service: stretches of minutes to a day, each with its traffic and its share of errors, restarts, and times without samples.
func write(out *strings.Builder, number int, r *rand.Rand) {
	var good, bad []string
	var g, b float64
	samples := days * 24 * 60 / scrape
	for len(good) < samples {
		length := int(math.Pow(10, 0.7+2.2*r.Float64()))
		traffic := []float64{0, 0.2, 3, 200, 5000}[r.IntN(5)] * scrape * (0.5 + r.Float64())
		share := []float64{0, 0, 0.0003, 0.0008, 0.001, 0.0015, 0.003, 0.006, 0.0144, 0.02, 0.2, 1}[r.IntN(12)] * (0.8 + 0.4*r.Float64())
		gone := r.IntN(12) == 0
		if r.IntN(6) == 0 {
			g, b = 0, 0
		}
		for range length {
			if gone {
				good, bad = append(good, "_"), append(bad, "_")
				continue
			}
			g += traffic * max(0, 1-share)
			b += traffic * min(1, share)
			good, bad = append(good, fmt.Sprintf("%.3f", g)), append(bad, fmt.Sprintf("%.3f", b))
		}
	}
	fmt.Fprintf(out, "      - {series: 'http_requests_total{job=\"h%d\", code=\"200\"}', values: '%s'}\n", number, strings.Join(good[:samples], " "))
	// Before its first error a service often has no series of errors at all.
	if r.IntN(4) > 0 {
		fmt.Fprintf(out, "      - {series: 'http_requests_total{job=\"h%d\", code=\"500\"}', values: '%s'}\n", number, strings.Join(bad[:samples], " "))
	}
}

func expect(out *strings.Builder, expr string, minutes int) {
	fmt.Fprintf(out, "      - {expr: '%s', eval_time: %dm, exp_samples: []}\n", expr, minutes)
}

// test runs promtool on a test and returns what it says.
func test(t *testing.T, promtool, dir, input, expected string) string {
	t.Helper()
	file := filepath.Join(dir, "verdicts.test.yaml")
	doc := fmt.Sprintf("rule_files: [recordings.yaml, alerts.yaml, theirs.yaml]\nevaluation_interval: %dm\n"+
		// Otherwise promtool takes the groups in any order, and an alert may see nothing recorded.
		"group_eval_order: [slo-shop-requests-availability, sloth-slo-sli-recordings-shop-requests-availability, slo-alerts-shop-requests-availability, sloth-slo-alerts-shop-requests-availability]\n"+
		"tests:\n  - interval: %dm\n    input_series:\n%s    promql_expr_test:\n%s",
		step, scrape, input, expected)
	require.NoError(t, os.WriteFile(file, []byte(doc), 0o600))
	// It fails, since the alerts that fire are not expected.
	out, err := exec.CommandContext(t.Context(), promtool, "test", "rules", file).CombinedOutput()
	require.Error(t, err, "nothing fires")
	return string(out)
}
