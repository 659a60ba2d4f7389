package mutate

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMutations(t *testing.T) {
	for _, c := range []struct{ name, expr, pending, keep, want string }{
		{"a threshold with a window, a matcher and a pending period", `(avg_over_time(go_threads{job="go"}[1m])) > 8`, "5m", "", `
comparison-flipped: (avg_over_time(go_threads{job="go"}[1m])) < 8
comparison-boundary: (avg_over_time(go_threads{job="go"}[1m])) >= 8
threshold-up: (avg_over_time(go_threads{job="go"}[1m])) > 8.8
threshold-down: (avg_over_time(go_threads{job="go"}[1m])) > 7.2 (quiet)
window-longer: (avg_over_time(go_threads{job="go"}[2m])) > 8
window-shorter: (avg_over_time(go_threads{job="go"}[30s])) > 8
matcher-negated: (avg_over_time(go_threads{job!="go"}[1m])) > 8
matcher-dropped: (avg_over_time(go_threads[1m])) > 8
for-longer: for 6m
for-shorter: for 4m
`},
		{"0 has no ten per cent, and without a pending period there is none to shorten", `(x) > 0`, "0s", "", `
comparison-flipped: (x) < 0
comparison-boundary: (x) >= 0
threshold-up: (x) > 1
threshold-down: (x) > -1 (quiet)
for-longer: for 1m
`},
		{"below a threshold", `(up) < 1`, "90s", "3m", `
comparison-flipped: (up) > 1
comparison-boundary: (up) <= 1
threshold-up: (up) < 1.1 (quiet)
threshold-down: (up) < 0.9
for-longer: for 3m
for-shorter: for 1m
keep-firing-longer: keep 4m
keep-firing-shorter: keep 2m
`},
		{"a number on the left, and one that is computed", `2 * 1024 <= x{a=~"b"}`, "", "", `
comparison-flipped: 2 * 1024 >= x{a=~"b"}
comparison-boundary: 2 * 1024 < x{a=~"b"}
threshold-up: 2252.8 <= x{a=~"b"}
threshold-down: 1843.2 <= x{a=~"b"} (quiet)
matcher-negated: 2 * 1024 <= x{a!~"b"}
matcher-dropped: 2 * 1024 <= x
for-longer: for 1m
`},
		{"below zero ten per cent up is towards zero", `x > -10`, "", "", `
comparison-flipped: x < -10
comparison-boundary: x >= -10
threshold-up: x > -9
threshold-down: x > -11 (quiet)
for-longer: for 1m
`},
		{"no threshold", `a != b and {job="go"}`, "", "", `
comparison-flipped: a == b and {job="go"}
for-longer: for 1m
`},
		{"the same matcher twice", `a{j="g",k!="l"} / b{j="g"} == 1`, "", "", `
comparison-flipped: a{j="g",k!="l"} / b{j="g"} != 1
threshold-up: a{j="g",k!="l"} / b{j="g"} == 1.1
threshold-down: a{j="g",k!="l"} / b{j="g"} == 0.9
matcher-negated: a{j!="g",k!="l"} / b{j="g"} == 1
matcher-dropped: a{k!="l"} / b{j="g"} == 1
matcher-negated: a{j="g",k="l"} / b{j="g"} == 1
matcher-dropped: a{j="g"} / b{j="g"} == 1
matcher-negated: a{j="g",k!="l"} / b{j!="g"} == 1
matcher-dropped: a{j="g",k!="l"} / b == 1
matcher-dropped: a{k!="l"} / b == 1
for-longer: for 1m
`},
		{"a subquery", `max_over_time(rate(x[2m])[10m:1m]) > 0.05`, "", "", `
comparison-flipped: max_over_time(rate(x[2m])[10m:1m]) < 0.05
comparison-boundary: max_over_time(rate(x[2m])[10m:1m]) >= 0.05
threshold-up: max_over_time(rate(x[2m])[10m:1m]) > 0.055
threshold-down: max_over_time(rate(x[2m])[10m:1m]) > 0.045 (quiet)
window-longer: max_over_time(rate(x[2m])[20m:1m]) > 0.05
window-shorter: max_over_time(rate(x[2m])[5m:1m]) > 0.05
window-longer: max_over_time(rate(x[4m])[10m:1m]) > 0.05
window-shorter: max_over_time(rate(x[1m])[10m:1m]) > 0.05
for-longer: for 1m
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, err := mutations(c.expr, c.pending, c.keep, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for _, m := range list {
				switch {
				case m.expr != nil:
					fmt.Fprintf(&got, "%s: %s", m.Kind, *m.expr)
				case m.pending != nil:
					fmt.Fprintf(&got, "%s: for %s", m.Kind, *m.pending)
				case m.keep != nil:
					fmt.Fprintf(&got, "%s: keep %s", m.Kind, *m.keep)
				}
				if m.Quiet {
					got.WriteString(" (quiet)")
				}
				got.WriteString("\n")
				if m.Hint == "" || m.Change == "" {
					t.Errorf("%s has no hint or does not say what it changes: %+v", m.Kind, m)
				}
			}
			if diff := cmp.Diff(strings.TrimPrefix(c.want, "\n"), got.String()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestANumberIsWrittenAsOneWouldWriteIt(t *testing.T) {
	list, err := mutations("x > 0.05", "", "", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if got := list[2].Change + "; " + list[3].Hint; got != "> 0.05 becomes > 0.055; add a test in which it stays quiet with a value between 0.045 and 0.05" {
		t.Error(got)
	}
}
