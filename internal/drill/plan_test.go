package drill

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lookout/internal/rules"
)

// planned is the plan of the alert A with an expression, from a unit test with these series that fires at a time.
func planned(t *testing.T, rule, series, at, settings string) *Plan {
	t.Helper()
	file := rules.Read("a.yaml", []byte("groups:\n  - name: a\n    interval: 1m\n    rules:\n      - alert: A\n        uid: a\n        "+rule+"\n        for: 1m\n        labels: {severity: warning}\n"))
	tests, err := rules.ReadTests("a.test.yaml", []byte("rule_files: [a.rules.yaml]\ntests:\n  - interval: 10s\n    input_series:\n"+series+
		"    alert_rule_test:\n      - {eval_time: "+at+", alertname: A, exp_alerts: [{exp_labels: {severity: warning, job: go, instance: go1}}]}\n"))
	require.NoError(t, err)
	plans, err := Plans([]*rules.File{file}, []*rules.UnitTests{tests}, Settings{Settings: rules.ReadSettings("s.yaml", []byte(settings)), Scrape: 10 * time.Second, Knobs: []string{"threads"}})
	require.NoError(t, err)
	require.Len(t, plans, 1)
	return plans[0]
}

func TestPlansReplayTheStretchInWhichTheAlertFires(t *testing.T) {
	in := func(name, values string) string {
		return "      - series: '" + name + "'\n        values: '" + values + "'\n"
	}
	level := planned(t, "expr: x{job=\"go\"}\n        threshold: {above: 8}", in(`x{job="go", instance="go1"}`, "7x10 9x20")+in(`y{job="go"}`, "1x40"), "3m", "overrides:\n  A: {threshold: 16, pending: 10s}\n")
	require.Empty(t, level.Skip)
	require.Len(t, level.Phases, 1, "a level needs no preparation")
	require.Len(t, level.Phases[0].Series, 1, "what the rule does not look at is left out")
	require.Equal(t, map[string]string{"__name__": "x", "job": "go", "instance": "drill-a"}, level.Phases[0].Series[0].Labels)
	require.InDelta(t, 9*2*margin, level.Phases[0].Series[0].Value, 1e-9, "beyond the environment's threshold")
	require.Equal(t, map[string]string{"job": "go", "instance": "drill-a"}, level.Labels)
	require.Equal(t, 10*time.Second, level.For)

	below := planned(t, "expr: up\n        threshold: {below: 1}", in(`up{job="go", instance="go1"}`, "1x10 0x20"), "3m", "")
	require.Zero(t, below.Phases[0].Series[0].Value)

	counter := planned(t, "expr: increase(x{job=\"go\"}[1m])\n        threshold: {above: 0}", in(`x{job="go", instance="go1"}`, "0x10 1x20"), "2m", "")
	require.Len(t, counter.Phases, 2)
	require.Equal(t, []float64{0, 1.5}, []float64{counter.Phases[0].Series[0].Value, counter.Phases[1].Series[0].Value}, "no increase is seen in a counter that appears")
	require.Equal(t, time.Minute, counter.Empty)

	rate := planned(t, "expr: rate(x{job=\"go\"}[1m])\n        threshold: {above: 5}", in(`x{job="go", instance="go1"}`, "0+60x40"), "3m", "")
	require.InDelta(t, 9, rate.Phases[1].Series[0].PerSecond, 1e-9)
	require.InDelta(t, 9*60, rate.Phases[1].Series[0].Value, 1e-9, "what would have been counted within the window comes at once")

	slope := planned(t, "expr: predict_linear(x[1m], 3600)\n        threshold: {below: 0}", in(`x{job="go", instance="go1"}`, "1000-1x40"), "3m", "")
	require.Equal(t, 982.0, slope.Phases[0].Series[0].Value, "the level at which it fires")
	require.InDelta(t, -0.15, slope.Phases[1].Series[0].PerSecond, 1e-9)

	epoch := planned(t, "expr: x - time()\n        threshold: {below: 100}", in(`x{job="go", instance="go1"}`, "230x40"), "3m", "")
	require.Equal(t, 1_000_050.0, epoch.Phases[0].At(time.Unix(1_000_000, 0))[0].Value, "50 s after the time of the test is 50 s after now")

	changing := planned(t, "expr: changes(x[2m])\n        threshold: {above: 2}", in(`x{job="go", instance="go1"}`, "1x3 2x3 3x3 4x9"), "2m", "")
	var values []float64
	for _, ph := range changing.Phases {
		values = append(values, ph.Series[0].Value)
	}
	require.Equal(t, []float64{1, 2, 3, 4}, values)
}

func TestWhatCannotBeDrilledSaysWhy(t *testing.T) {
	in := "      - series: 'x{job=\"go\", instance=\"go1\"}'\n        values: '9x40'\n"
	require.Contains(t, planned(t, "expr: absent(x)\n        threshold: {above: 0}", in, "3m", "").Skip, "series are missing")
	require.Contains(t, planned(t, "# lookout:drill skip: it would be too loud\n        expr: x\n        threshold: {above: 0}", in, "3m", "").Skip, "too loud")
	require.Contains(t, planned(t, "expr: x\n        threshold: {above: 0}", in, "3m", "overrides:\n  A: {paused: true}\n").Skip, "paused")
	require.True(t, planned(t, "expr: count(up)\n        threshold: {above: 0}", "      - series: 'up{job=\"go\"}'\n        values: '1x40'\n", "3m", "").Heartbeat)

	knob := planned(t, "# lookout:drill knob threads=200\n        expr: x\n        threshold: {above: 0}", in, "3m", "")
	require.Equal(t, "threads", knob.Knob)
	require.EqualValues(t, 200, knob.KnobValue)
	without := planned(t, "# lookout:drill knob nothing=200\n        expr: x\n        threshold: {above: 0}", in, "3m", "")
	require.Empty(t, without.Knob, "a service without that knob")
	require.NotEmpty(t, without.Phases)

	file := rules.Read("a.yaml", []byte("groups:\n  - name: a\n    rules:\n      # lookout:drill knob threads\n      - alert: A\n        uid: a\n        expr: x\n        threshold: {above: 1}\n"))
	_, err := Plans([]*rules.File{file}, nil, Settings{})
	require.ErrorContains(t, err, "cannot read the comment about drills")
}

func TestPlansThatLookAtEachOthersSeriesWait(t *testing.T) {
	in := "      - series: 'up{job=\"go\", instance=\"go1\"}'\n        values: '1x10 0x40'\n"
	down := planned(t, "expr: up\n        threshold: {below: 1}", in, "3m", "")
	relay := planned(t, "expr: up{job=\"relay\"}\n        threshold: {below: 1}", "      - series: 'up{job=\"relay\", instance=\"go1\"}'\n        values: '0x40'\n", "3m", "")
	other := planned(t, "expr: x\n        threshold: {above: 1}", "      - series: 'x{job=\"go\", instance=\"go1\"}'\n        values: '9x40'\n", "3m", "")
	require.True(t, relay.Disturbs(down))
	require.False(t, down.Disturbs(relay))
	require.False(t, down.Disturbs(other) || other.Disturbs(down))
}

func TestNightsAreThoseOfTheZone(t *testing.T) {
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	require.NoError(t, err)
	at := func(hour, minute int) time.Time { return time.Date(2026, 11, 26, hour, minute, 0, 0, shanghai).UTC() }
	for hours, want := range map[string][4]bool{"22:00-08:00": {true, false, true, true}, "12:00-14:00": {false, true, false, false}} {
		for i, now := range []time.Time{at(23, 0), at(13, 0), at(7, 59), at(22, 0)} {
			quiet, err := Quiet(now, shanghai, hours)
			require.NoError(t, err)
			require.Equal(t, want[i], quiet, "%s at %s", hours, now)
		}
	}
	_, err = Quiet(time.Now(), shanghai, "at night")
	require.ErrorContains(t, err, "22:00-08:00")
}
