package delivery

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"testing/synctest"
	"time"
)

// TestDashboardAndRulesUseMetricsThatExist holds the names in dashboards/delivery and
// alerts/delivery.yaml against what a relay exposes that has just started: a rule on a series that
// only comes with the first fault would miss that fault.
func TestDashboardAndRulesUseMetricsThatExist(t *testing.T) {
	root := "../../../.."
	files, err := filepath.Glob(filepath.Join(root, "dashboards", "delivery", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there is no dashboard: %v", err)
	}
	files = append(files, filepath.Join(root, "alerts", "delivery.yaml"))
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, withHeartbeat, &recorder{t: t})
		time.Sleep(time.Second)
		synctest.Wait()
		families, err := g.registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		// serve.go registers this one.
		known := map[string]bool{"relay_build_info": true}
		for _, f := range families {
			for _, suffix := range []string{"", "_bucket", "_sum", "_count"} {
				known[f.GetName()+suffix] = true
			}
		}
		used := 0
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range regexp.MustCompile(`relay_[a-z_]+`).FindAllString(string(raw), -1) {
				used++
				if !known[name] {
					t.Errorf("%s uses %s, which a fresh relay does not expose", filepath.Base(file), name)
				}
			}
		}
		if used < 30 {
			t.Errorf("only %d uses were found", used)
		}
	})
}
