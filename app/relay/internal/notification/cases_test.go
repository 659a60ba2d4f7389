package notification

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCases reads bodies as senders of many versions, gateways and mistakes make them. Each folder of
// testdata/webhook holds one; what stands here is what has to become of it: "" that it is refused, or the
// value of its first alert ("-" for none).
func TestCases(t *testing.T) {
	refused := map[string]string{
		"alerts-empty": `"alerts" is missing or empty`, "alerts-null": `"alerts" is missing`, "array-from-prometheus": "point Prometheus at an Alertmanager",
		"form": "not JSON", "grafana-legacy": "before version 9", "latin1": "not UTF-8", "status-nodata": "neither status", "status-pending": "neither status",
		"status-suppressed": "neither status", "values-nan-literal": "not JSON",
	}
	values := map[string]map[string]float64{
		"values-array": nil, "values-big": {"A": 1e308, "B": 0.30000000000000004, "C": 1}, "values-null": nil, "values-null-B": nil,
		"values-null-member": {"B": 3}, "values-string-mixed": {"A": 5}, "values-strings": {"B": 22},
	}
	alerts := map[string]int{}
	folders, err := filepath.Glob("testdata/webhook/*.json")
	if err != nil || len(folders) < 50 {
		t.Fatalf("%d cases, %v", len(folders), err)
	}
	for _, file := range folders {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		n, err := Parse(raw)
		if want, ok := refused[name]; ok && want != "" {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", name, err, want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if want, ok := alerts[name]; ok && len(n.Alerts) != want {
			t.Errorf("%s: %d alerts, want %d", name, len(n.Alerts), want)
		}
		if want, ok := values[name]; ok {
			got := n.Alerts[0].Values
			same := len(got) == len(want)
			for k, v := range want {
				same = same && got[k] == v
			}
			if !same {
				t.Errorf("%s: values %v, want %v", name, got, want)
			}
		}
		if strings.HasPrefix(name, "mixed-") && (n.Unreadable != 1 || len(n.Alerts) != 1 || n.Mistake == "") {
			t.Errorf("%s: %d alerts, %d left out: %s", name, len(n.Alerts), n.Unreadable, n.Mistake)
		}
	}
}
