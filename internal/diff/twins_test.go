package diff

import (
	"fmt"
	"strings"
	"testing"

	"lookout/internal/dashboard"
	"lookout/internal/dashboard/dashtest"
)

// asV2 is the dashboard as a V2 resource, read again from its bytes.
func asV2(t testing.TB, d *dashboard.Dashboard) *dashboard.Dashboard {
	t.Helper()
	root, losses := d.ToV2()
	for _, l := range losses {
		if !strings.Contains(l.What, "__inputs") {
			t.Errorf("lost: %s", l)
		}
	}
	twin, err := dashboard.Load(d.File(), root.JSON())
	if err != nil {
		t.Fatal(err)
	}
	return twin
}

// A classic dashboard and its V2 twin differ in nothing but the schema, in both directions; a conversion there and back says the same.
func TestTwinsDifferInTheSchemaOnly(t *testing.T) {
	for _, f := range dashtest.Collection(4, 60, dashtest.Metrics(4, 200)) {
		classic, err := dashboard.Load(f.Name, f.Data)
		if err != nil {
			t.Fatal(err)
		}
		twin := asV2(t, classic)
		for name, res := range map[string]Result{
			"V2":      New().Dashboards(classic, twin),
			"classic": New().Dashboards(twin, classic),
		} {
			if len(res.Events) != 1 || !strings.HasPrefix(res.Events[0].Text, "now saved as "+name) {
				t.Fatalf("%s: %s", f.Name, texts(res))
			}
		}
		back, losses := twin.ToClassic()
		if len(losses) > 0 {
			t.Fatalf("%s: %v", f.Name, losses)
		}
		again, err := dashboard.Load(f.Name, back.JSON())
		if err != nil {
			t.Fatal(err)
		}
		if res := New().Dashboards(classic, again); len(res.Events) > 0 {
			t.Fatalf("%s, there and back: %s", f.Name, texts(res))
		}
		twice, _ := again.ToV2()
		if once, _ := classic.ToV2(); string(once.JSON()) != string(twice.JSON()) {
			t.Fatalf("%s: the second conversion makes another file\n%s", f.Name, firstDifference(string(once.JSON()), string(twice.JSON())))
		}
	}
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("line %d:\n%s\n%s", i+1, strings.Join(x[max(0, i-5):i+1], "\n"), y[i])
		}
	}
	return "one is longer"
}
