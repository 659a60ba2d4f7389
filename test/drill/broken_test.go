package drill

import (
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lookout/internal/alertmanager"
	"lookout/internal/drill"
)

var all = flag.Bool("all", false, "break every part of the chain too, drill on the stand-in for Grafana, and edit rules while alerts fire: some minutes")

// long is for what make test-drill runs, every night, and make test does not.
func long(t *testing.T) {
	t.Helper()
	if !*all {
		t.Skip("make test-drill runs it")
	}
}

// robotAnswers makes the mock answer every call in one way.
func (c *chain) robotAnswers(fault string) {
	c.t.Helper()
	resp, err := http.Post(c.url("robot")+"/api/faults", "application/json", strings.NewReader(`{"faults": [`+fault+`]}`))
	require.NoError(c.t, err)
	defer resp.Body.Close()
	var text bytes.Buffer
	_, _ = text.ReadFrom(resp.Body)
	require.Less(c.t, resp.StatusCode, 300, text.String())
}

// expose writes series as another drill would.
func (c *chain) expose(name, labels string, value float64) {
	c.t.Helper()
	body := fmt.Sprintf(`{"lease": "2m", "series": [{"labels": %s, "value": %g}]}`, labels, value)
	req, err := http.NewRequest(http.MethodPut, c.url("console")+"/drill/series/"+name, strings.NewReader(body))
	require.NoError(c.t, err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(c.t, err)
	defer resp.Body.Close()
	require.Equal(c.t, http.StatusNoContent, resp.StatusCode)
}

// Each part of the chain is broken by itself, and the drill names it with a remedy.
func TestTheBrokenPartIsNamed(t *testing.T) {
	long(t)
	cases := []struct {
		name string
		// before is what is broken before anything starts, after once all is ready, later when the alert fires.
		before, after, later func(*chain)
		part                 drill.Part
		words                string
		alert                string
	}{
		{name: "prometheus stopped", after: func(c *chain) { c.stop("prometheus") }, part: drill.PartPrometheus, words: "does not answer"},
		{name: "prometheus dies on the way", later: func(c *chain) { c.stop("prometheus") }, part: drill.PartPrometheus, words: "does not answer"},
		{name: "console stopped", after: func(c *chain) { c.stop("console") }, part: drill.PartSeries, words: "does not answer"},
		{name: "console takes no series", before: func(c *chain) { c.series = "off" }, part: drill.PartSeries, words: "takes no series"},
		{name: "console takes only the probe", before: func(c *chain) { c.series = "probe" }, part: drill.PartSeries, words: "only lookout_drill"},
		{name: "scrape job missing", before: func(c *chain) { c.scrape = "\n" }, part: drill.PartScrape, words: `no scrape job "drill"`},
		{name: "scrape fails", before: func(c *chain) {
			c.scrape = "- {job_name: drill, static_configs: [{targets: ['127.0.0.1:1']}]}\n"
		}, part: drill.PartScrape, words: "connection refused"},
		{name: "series dropped", before: func(c *chain) {
			c.scrape = "- {job_name: drill, honor_labels: true, metrics_path: /drill/metrics, static_configs: [{targets: ['" + c.addr["console"] + "']}]," +
				" metric_relabel_configs: [{source_labels: [instance], regex: 'drill-.*', action: drop}]}\n"
		}, part: drill.PartScrape, words: "not stored"},
		{name: "rule missing", before: func(c *chain) { c.rules = "groups: []\n" }, part: drill.PartRule, words: "does not have the alert rule ThreadsHigh"},
		{name: "rule fails", before: func(c *chain) {
			c.rules = "groups: [{name: x, interval: 1s, rules: [{alert: ThreadsHigh, expr: 'go_threads * on (job) group_left label_replace(vector(1), \"job\", \"go\", \"\", \"\") and on () (up * on (nothing) up)', labels: {severity: warning}}]}]\n"
		}, part: drill.PartRule, words: "cannot be evaluated"},
		{name: "rule about other series", before: func(c *chain) {
			c.rules = "groups: [{name: x, interval: 1s, rules: [{alert: ThreadsHigh, expr: 'go_threads{job=\"java\"} > 80', labels: {severity: warning}}]}]\n"
		}, part: drill.PartRule, words: "has no value"},
		{name: "threshold unreachable", before: func(c *chain) { c.threshold = "9000" }, part: drill.PartThreshold, words: "fires at > 9000"},
		{name: "alertmanager stopped", after: func(c *chain) { c.stop("alertmanager") }, part: drill.PartAlertmanager, words: "does not answer"},
		{name: "prometheus sends to none", before: func(c *chain) { c.sends = false }, part: drill.PartAlertmanager, words: "sends alerts to no Alertmanager"},
		{name: "alertmanager dies on the way", later: func(c *chain) { c.stop("alertmanager") }, part: drill.PartAlertmanager, words: "does not answer"},
		{name: "silence standing", after: func(c *chain) {
			am, err := alertmanager.New(c.url("alertmanager"), nil, 5*time.Second)
			require.NoError(c.t, err)
			_, err = am.Save(c.t.Context(), alertmanager.Silence{Matchers: []alertmanager.Matcher{{Name: "alertname", Value: "ThreadsHigh"}}, StartsAt: time.Now(),
				EndsAt: time.Now().Add(time.Hour), CreatedBy: "Ming", Comment: "a release"})
			require.NoError(c.t, err)
		}, part: drill.PartSilence, words: `of Ming ("a release"`},
		{name: "silenced on the way", later: func(c *chain) {
			am, err := alertmanager.New(c.url("alertmanager"), nil, 5*time.Second)
			require.NoError(c.t, err)
			_, err = am.Save(c.t.Context(), alertmanager.Silence{Matchers: []alertmanager.Matcher{{Name: "alertname", Value: "ThreadsHigh"}}, StartsAt: time.Now(),
				EndsAt: time.Now().Add(time.Hour), CreatedBy: "Ming", Comment: "too late"})
			require.NoError(c.t, err)
		}, part: drill.PartSilence, words: "too late"},
		{name: "inhibited", before: func(c *chain) {
			c.rules = "groups: [{name: x, interval: 1s, rules: [{alert: Stronger, expr: 'vector(1)'}, " +
				"{alert: ThreadsHigh, expr: 'go_threads > 80', for: 2s, labels: {severity: warning}}]}]\n"
		}, part: drill.PartInhibition, words: "Stronger"},
		{name: "receiver names no target", before: func(c *chain) { c.target = "nobody" }, part: drill.PartReceiver, words: "does not know the address"},
		{name: "receiver sends elsewhere", before: func(c *chain) { c.relay = "127.0.0.1:1" }, part: drill.PartReceiver, words: "does not accept the notification"},
		{name: "relay stopped", after: func(c *chain) { c.stop("relay") }, part: drill.PartRelay, words: "is not ready"},
		{name: "relay dies on the way", later: func(c *chain) { c.stop("relay") }, part: drill.PartRelay, words: "is not ready"},
		{name: "relay token wrong", before: func(c *chain) { c.token = "wrong" }, part: drill.PartToken, words: "token is missing or wrong"},
		{name: "robot rejects", after: func(c *chain) {
			c.robotAnswers(`{"kind": "errcode", "errcode": 310000, "errmsg": "keywords not in content", "times": -1}`)
		},
			part: drill.PartRobot, words: "310000"},
		{name: "robot token wrong", before: func(c *chain) { c.robotToken = "other" }, part: drill.PartRobot, words: "robot:ops does not take the message"},
		{name: "robot unreachable", later: func(c *chain) { c.stop("robot") }, part: drill.PartRobot, words: "robot:ops does not take the message"},
		{name: "robot stopped", after: func(c *chain) { c.stop("robot") }, part: drill.PartRobot, words: "does not answer"},
		{name: "knobs missing", after: func(c *chain) { c.stop("exporter") }, part: drill.PartScrape, words: "the scrape of go fails", alert: "Knobbed"},
		{name: "recovery never comes", later: func(c *chain) {
			// Someone else's series, with the labels of the drill's alert.
			c.expose("other", `{"__name__": "go_threads", "job": "go", "instance": "drill-threads-high", "x": "y"}`, 99)
		}, part: drill.PartRecovery, words: "does not end"},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := newChain(t)
			if test.before != nil {
				test.before(c)
			}
			c.start()
			if test.after != nil {
				test.after(c)
			}
			o := c.options()
			o.Patience = 5 * time.Second
			if test.later != nil {
				o.Say = func(_ string, s drill.Stage) {
					if s.Name == "pending" {
						test.later(c)
					}
				}
			}
			alert := test.alert
			if alert == "" {
				alert = "ThreadsHigh"
			}
			began := time.Now()
			result := c.drill(t.Context(), o, alert)[0]
			t.Logf("found after %.1f s", time.Since(began).Seconds())
			require.Equal(t, drill.Failed, result.Verdict, result.Words())
			require.Equal(t, test.part, result.Part, result.Words())
			require.Contains(t, result.Reason, test.words)
			require.NotEmpty(t, result.Remedy)
		})
	}
}
