package backtest

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"lookout/internal/render"
	"lookout/internal/source"
)

var start = time.Unix(1_800_000_000, 0).UTC()

// matrix has a sample wherever the picture has an x; each character is a minute.
func matrix(pictures ...string) Matrix {
	m := Matrix{Step: time.Minute, Samples: 1000}
	for i, picture := range pictures {
		s := Series{Metric: model.Metric{"series": model.LabelValue(fmt.Sprint(i))}}
		for k, c := range picture {
			if c == 'x' {
				s.Times, s.Values = append(s.Times, start.Add(time.Duration(k)*time.Minute).UnixMilli()), append(s.Values, 1)
			}
		}
		m.Value = append(m.Value, s)
	}
	return m
}

func minutes(f Firing) [2]int {
	return [2]int{int(f.Start.Sub(start).Minutes()), int(f.End.Sub(start).Minutes())}
}

func TestAnAlertFiresAsInPrometheus(t *testing.T) {
	for _, test := range []struct {
		name, picture string
		pending, keep time.Duration
		want          [][2]int
		short         int
	}{
		{"at once without a pending period", "..x...xx..", 0, 0, [][2]int{{2, 3}, {6, 8}}, 0},
		{"after the pending period", "..xxxxx...", 2 * time.Minute, 0, [][2]int{{4, 7}}, 0},
		{"not if it holds for less", "..xx..xx..", 2 * time.Minute, 0, nil, 2},
		{"it begins anew after a gap", "xx.xxxx...", 2 * time.Minute, 0, [][2]int{{5, 7}}, 1},
		{"kept firing over a gap", "xxxx..xx..", 0, 3 * time.Minute, [][2]int{{0, 9}}, 0},
		{"kept firing and then ended", "xx........", 0, 3 * time.Minute, [][2]int{{0, 5}}, 0},
		{"still firing at the end", "......xxxx", 0, 0, [][2]int{{6, 9}}, 0},
		{"nothing", "..........", 0, 0, nil, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			end := start.Add(time.Duration(len(test.picture)-1) * time.Minute)
			r := Evaluate(matrix(test.picture), Rule{For: test.pending, KeepFiringFor: test.keep}, start, end)
			var got [][2]int
			for _, f := range r.Firings {
				got = append(got, minutes(f))
			}
			require.Equal(t, test.want, got)
			require.Equal(t, test.short, r.Pending)
		})
	}
}

func TestSeriesFireByThemselvesAndAreDrawnTogether(t *testing.T) {
	r := Evaluate(matrix("xx........", "...xxxx..."), Rule{}, start, start.Add(10*time.Minute))
	require.Equal(t, 2, r.Series)
	require.Equal(t, 6*time.Minute, r.Total())
	require.Equal(t, 91, r.Samples, "1000 samples in 11 evaluations")
	require.Equal(t, "█▒█▒·", r.Draw(start, start.Add(10*time.Minute), 5))
}

func TestAServerIsAskedInStepsThatItGives(t *testing.T) {
	var step, query string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		step, query = r.PostFormValue("step"), r.PostFormValue("query")
		switch query {
		case "wrong":
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"status":"error","error":"parse error"}`))
		case "absent", "uncounted":
			stats := map[string]string{"absent": `"totalQueryableSamples":0`}[query]
			_, _ = w.Write([]byte(`{"status":"success","data":{"resultType":"matrix","result":[],"stats":{"samples":{` + stats + `}}}}`))
		case "page":
			_, _ = w.Write([]byte(`<html>`))
		default:
			_, _ = w.Write([]byte(`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"a":"b]["},"values":[[1800000000,"1"],[1800000060.5, "2"],[1.80000012e9,"NaN"]]}],
				"stats":{"samples":{"totalQueryableSamples":42}}}}`))
		}
	}))
	defer server.Close()
	c := Client{server.URL + "/", server.Client()}
	m, err := c.Query(t.Context(), Rule{Expr: "up", Interval: time.Minute}, start, start.Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, []string{"60", "up"}, []string{step, query})
	require.Equal(t, 42, m.Samples)
	require.Len(t, m.Value, 1)
	require.Equal(t, model.Metric{"a": "b]["}, m.Value[0].Metric)
	require.Equal(t, []int64{1_800_000_000_000, 1_800_000_060_500, 1_800_000_120_000}, m.Value[0].Times)
	require.Equal(t, []float64{1, 2}, m.Value[0].Values[:2])
	require.True(t, math.IsNaN(m.Value[0].Values[2]))
	// That an alert never fired is no praise where nothing is stored; a server that does not count says nothing of that.
	for expr, want := range map[string]string{"absent": "never; 0 series, and no sample was read: this Prometheus has stored nothing of it", "uncounted": "never; 0 series"} {
		m, err := c.Query(t.Context(), Rule{Expr: expr, Interval: time.Minute}, start, start.Add(time.Hour))
		require.NoError(t, err)
		r := Evaluate(m, Rule{}, start, start.Add(time.Hour))
		require.Equal(t, want, r.words())
	}
	m, err = c.Query(t.Context(), Rule{Expr: "up", Interval: 10 * time.Second}, start, start.Add(7*24*time.Hour))
	require.NoError(t, err)
	require.Equal(t, "55", step)
	require.Equal(t, 55*time.Second, m.Step)
	_, err = c.Query(t.Context(), Rule{Expr: "wrong"}, start, start.Add(time.Hour))
	require.EqualError(t, err, "parse error")
	_, err = c.Query(t.Context(), Rule{Expr: "page"}, start, start.Add(time.Hour))
	require.ErrorContains(t, err, "not what a Prometheus says")
}

// Where only the threshold differs, the wider condition is asked for and the other one is taken from it; the outcome is that of two questions.
func TestAThresholdIsAskedForOnce(t *testing.T) {
	for _, test := range []struct {
		before, after string
		asked         []string
	}{
		{"rate(x[5m]) > 8", "rate(x[5m]) > 64", []string{"rate(x[5m]) > 8"}},
		{"rate(x[5m]) > 64", "(rate(x[5m])) > 8", []string{"(rate(x[5m])) > 8"}},
		{"x < 8", "x < 64", []string{"x < 64"}},
		{"x <= -8", "x <= -9", []string{"x <= -8"}},
		{"x > 8", "x > 8", []string{"x > 8"}},
		{"x > 8", "x >= 9", []string{"x > 8", "x >= 9"}},
		{"x > 8", "y > 9", []string{"x > 8", "y > 9"}},
		{"x > 8", "x > bool 9", []string{"x > 8", "x > bool 9"}},
		{"x > y", "x > z", []string{"x > y", "x > z"}},
		{"8 < x", "9 < x", []string{"8 < x", "9 < x"}},
	} {
		var asked []string
		values := map[string]float64{"5": 5, "8": 8, "9": 9, "64": 64, "65": 65, "-8": -8, "-9": -9}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			query := r.PostFormValue("query")
			asked = append(asked, query)
			pairs := ""
			for i, v := range []string{"5", "8", "9", "64", "65", "-8", "-9"} {
				if th, ok := splitThreshold(query); ok && th.holds(values[v]) {
					pairs += fmt.Sprintf(`,[%d,"%s"]`, start.Unix()+int64(i)*60, v)
				}
			}
			if pairs == "" {
				fmt.Fprint(w, `{"status":"success","data":{"resultType":"matrix","result":[]}}`)
				return
			}
			fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"a":"b"},"values":[%s]}]}}`, pairs[1:])
		}))
		client := Client{server.URL, server.Client()}
		both := &Alert{before: &Rule{Expr: test.before, Interval: time.Minute}, after: &Rule{Expr: test.after, Interval: time.Minute}}
		report, err := Ask(t.Context(), client, []*Alert{both}, start, start.Add(6*time.Minute))
		require.NoError(t, err)
		require.Zero(t, report.Failed(), both.Error)
		require.Equal(t, test.asked, asked)
		for expr, got := range map[string]*Result{test.before: both.Before, test.after: both.After} {
			alone := &Alert{after: &Rule{Expr: expr, Interval: time.Minute}}
			_, err := Ask(t.Context(), client, []*Alert{alone}, start, start.Add(6*time.Minute))
			require.NoError(t, err)
			require.Equal(t, alone.After, got, expr)
		}
		server.Close()
	}
}

// The picture shows both sides of each rule, and a short firing of a long time.
func TestThePictureShowsBothSides(t *testing.T) {
	end := start.Add(7 * 24 * time.Hour)
	short := &Result{Firings: []Firing{{nil, start.Add(50 * time.Hour), start.Add(50*time.Hour + time.Minute)}}}
	r := Report{Start: start, End: end, Alerts: []*Alert{
		{Alert: "Disk<Full>", Before: &Result{}, After: short}, {Alert: "New", After: short}, {Alert: "Broken", Error: "x"},
	}}
	svg, err := r.Picture(t.Context(), render.Light, false)
	require.NoError(t, err)
	for _, want := range []string{"Disk&lt;Full&gt;", "before: never", "after: 1 time, 1m in all", ">New<", "2 of 3 rules"} {
		require.Contains(t, string(svg), want)
	}
	without := Report{Start: start, End: end, Alerts: []*Alert{{Alert: "Disk<Full>", Before: &Result{}, After: &Result{}}, {Alert: "New", After: short}, {Alert: "Broken", Error: "x"}}}
	other, err := without.Picture(t.Context(), render.Light, false)
	require.NoError(t, err)
	require.NotEqual(t, strings.ReplaceAll(string(svg), "after: 1 time, 1m in all", ""), strings.ReplaceAll(string(other), "after: never", ""), "the minute is drawn")
	none, err := (&Report{Start: start, End: end}).Picture(t.Context(), render.Light, true)
	require.NoError(t, err)
	require.Nil(t, none)
}

func side(texts ...string) (s Side) {
	for i, text := range texts {
		s.Files = append(s.Files, source.File{Name: fmt.Sprintf("alerts/%d.yaml", i), Must: true, Read: func([]byte) ([]byte, error) { return []byte(text), nil }})
	}
	return s
}

func changes(t *testing.T, before, after Side) (out []string) {
	t.Helper()
	alerts, err := Changed(before, after, false)
	require.NoError(t, err)
	for _, a := range alerts {
		out = append(out, a.Alert+": "+a.Change)
	}
	return out
}

// Several alerts may have one name: they are told apart by their labels, wherever they stand.
func TestAlertsOfOneNameAreToldApart(t *testing.T) {
	rule := func(severity, expr string) string {
		return fmt.Sprintf("  - {alert: Disk, expr: %q, labels: {severity: %s}}\n", expr, severity)
	}
	group := func(rules ...string) string { return "groups:\n- name: g\n  rules:\n" + strings.Join(rules, "") }
	before := side(group(rule("warning", "disk > 80"), rule("critical", "disk > 90")))
	require.Empty(t, changes(t, before, side(group(rule("critical", "disk > 90"), rule("warning", "disk > 80")))))
	require.Equal(t, []string{"Disk: disk > 90 → disk > 95"}, changes(t, before, side(group(rule("critical", "disk > 95"), rule("warning", "disk > 80")))))
	require.Equal(t, []string{"Disk: new"}, changes(t, before, side(group(rule("info", "disk > 70"), rule("warning", "disk > 80"), rule("critical", "disk > 90")))))
	require.Equal(t, []string{"Disk: removed"}, changes(t, before, side(group(rule("critical", "disk > 90")))))
	require.Empty(t, changes(t, before, side(group(rule("warning", "disk > 80"), rule("page", "disk > 90")))), "another severity fires no otherwise")
}

// What was broken before had no alerts; what is broken now is an error.
func TestABrokenFileBeforeHadNoAlerts(t *testing.T) {
	good, broken := "groups: [{name: g, rules: [{alert: A, expr: up == 0}]}]\n", "groups: [{name: g, rules: [{alert: A, expr: up == 0, for: soon}]}]\n"
	require.Equal(t, []string{"A: new"}, changes(t, side(broken), side(good)))
	_, err := Changed(side(good), side(broken), false)
	require.ErrorContains(t, err, "soon")
}
