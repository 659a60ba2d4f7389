package drill

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lookout/internal/drill"
	"lookout/test/internal/grafana"
)

// engine does what the stand-in for Grafana does not: it evaluates a rule, by what the console exposes, and notifies the relay.
type engine struct {
	c       *chain
	grafana *grafana.Server
	url     string
	login   string
	// dead stops the evaluation, mute the notifications.
	dead, mute bool
}

func (e *engine) ask(method, path string, body, into any) error {
	var payload io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return err
		}
		payload = bytes.NewReader(data)
	}
	req, err := http.NewRequest(method, e.url+path, payload)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", e.login)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s %s (%w)", method, path, resp.Status, text, err)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}

// run evaluates until ctx ends: a series above the threshold is pending for a second, then it fires.
func (e *engine) run(ctx context.Context) {
	labels := map[string]string{"job": "go", "instance": "drill-threads-high"}
	var since time.Time
	notified := ""
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		breach := !e.dead && strings.Contains(e.c.get(e.c.url("console")+"/drill/metrics"), `instance="drill-threads-high"`)
		now := time.Now()
		if !breach {
			since = time.Time{}
		} else if since.IsZero() {
			since = now
		}
		state := "Normal"
		switch {
		case breach && now.Sub(since) > time.Second:
			state = "Alerting"
		case breach:
			state = "Pending"
		}
		e.grafana.SetInstances("ThreadsHigh", grafana.Instance{Labels: labels, State: state, ActiveAt: since})
		status := map[string]string{"Alerting": "firing", "Normal": "resolved"}[state]
		if status == "" || status == notified || status == "resolved" && notified == "" || e.mute {
			continue
		}
		var alerts []struct{ Status struct{ SilencedBy []string } }
		if err := e.ask(http.MethodGet, "/api/alertmanager/grafana/api/v2/alerts", nil, &alerts); err != nil || len(alerts) > 0 && len(alerts[0].Status.SilencedBy) > 0 {
			continue
		}
		alert := map[string]any{"status": status, "startsAt": now.Add(-time.Second), "endsAt": now, "annotations": map[string]string{"summary": "【报警】一次演练的测试 A test of drills"},
			"labels": map[string]string{"alertname": "ThreadsHigh", "severity": "warning", "job": "go", "instance": "drill-threads-high"}}
		body, _ := json.Marshal(map[string]any{"version": "1", "orgId": 1, "status": status, "receiver": "relay", "groupKey": fmt.Sprint(now.UnixNano()), "alerts": []any{alert}})
		req, _ := http.NewRequestWithContext(ctx, http.MethodPost, e.c.url("relay")+"/v1/robots/ops", bytes.NewReader(body))
		req.Header.Set("Authorization", "Bearer senders")
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
			notified = status
		}
	}
}

func newEngine(t *testing.T) (*chain, *engine, *drill.Options) {
	t.Helper()
	c := newChain(t)
	c.rules, c.sends = "groups: []\n", false
	c.start()
	e := &engine{c: c, login: "Basic " + base64.StdEncoding.EncodeToString([]byte("admin:admin"))}
	e.grafana, e.url = grafana.Start(t, grafana.Options{Password: "admin"})
	require.NoError(t, e.ask(http.MethodPost, "/api/folders", map[string]any{"uid": "lookout", "title": "Lookout"}, nil))
	query := func(ref, datasource string, model map[string]any) map[string]any {
		return map[string]any{"refId": ref, "datasourceUid": datasource, "relativeTimeRange": map[string]int{"from": 60, "to": 0}, "model": model}
	}
	require.NoError(t, e.ask(http.MethodPost, "/api/v1/provisioning/alert-rules", map[string]any{
		"uid": "threads-high", "title": "ThreadsHigh", "folderUID": "lookout", "ruleGroup": "drilled", "orgID": 1, "condition": "A", "for": "1s", "noDataState": "OK", "execErrState": "OK",
		"labels": map[string]string{"severity": "warning"}, "data": []any{query("A", "prometheus", map[string]any{"expr": `go_threads{job="go"}`})},
	}, nil))
	o := c.options()
	o.Chain.Engine, o.Chain.Grafana, o.Chain.Alertmanager = drill.EngineGrafana, drill.Address{URL: e.url, Authorization: e.login}, drill.Address{}
	// Its shortest interval is a minute here, and its policy has the defaults: the schedule is long, and the stand-in is not.
	o.Within = time.Hour
	return c, e, o
}

// The same drill through Grafana's API: rules, alerts and silences are Grafana's. The stand-in is told what it would have evaluated.
func TestADrillOnGrafana(t *testing.T) {
	long(t)
	t.Parallel()
	c, e, o := newEngine(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); e.run(ctx) }()
	defer func() { cancel(); <-ended }()

	result := c.drill(t.Context(), o, "ThreadsHigh")[0]
	require.Equal(t, drill.Passed, result.Verdict, result.Words())
	require.Equal(t, drill.EngineGrafana, result.Engine)

	o = c.options2(o)
	o.DryRun = true
	messages := c.get(c.url("robot") + "/api/messages")
	result = c.drill(t.Context(), o, "ThreadsHigh")[0]
	require.Equal(t, drill.Passed, result.Verdict, result.Words())
	require.Equal(t, messages, c.get(c.url("robot")+"/api/messages"), "a dry run reaches no one")
}

// options2 are the same for another run: a chain is opened once for each.
func (c *chain) options2(o *drill.Options) *drill.Options {
	again := c.options()
	again.Chain.Engine, again.Chain.Grafana, again.Chain.Alertmanager, again.Within = o.Chain.Engine, o.Chain.Grafana, o.Chain.Alertmanager, o.Within
	return again
}

// What is broken is named there too.
func TestWhatIsBrokenOnGrafanaIsNamed(t *testing.T) {
	long(t)
	for _, test := range []struct {
		name   string
		breaks func(*engine, *drill.Options)
		part   drill.Part
		words  string
	}{
		{"login wrong", func(_ *engine, o *drill.Options) { o.Chain.Grafana.Authorization = "Basic eDp5" }, drill.PartGrafana, "does not let the drill see its rules"},
		{"stopped", func(_ *engine, o *drill.Options) { o.Chain.Grafana.URL = "http://127.0.0.1:1" }, drill.PartGrafana, "does not answer"},
		{"rule missing", func(e *engine, _ *drill.Options) {
			_ = e.ask(http.MethodDelete, "/api/v1/provisioning/alert-rules/threads-high", nil, nil)
		}, drill.PartRule, "does not have the alert rule"},
		{"silence standing", func(e *engine, _ *drill.Options) {
			_ = e.ask(http.MethodPost, "/api/alertmanager/grafana/api/v2/silences", map[string]any{"comment": "a release", "createdBy": "Ming", "startsAt": time.Now().UTC().Format(time.RFC3339),
				"endsAt": time.Now().UTC().Add(time.Hour).Format(time.RFC3339), "matchers": []any{map[string]any{"name": "alertname", "value": "ThreadsHigh", "isEqual": true, "isRegex": false}}}, nil)
		}, drill.PartSilence, "of Ming"},
		{"contact point sends elsewhere", func(e *engine, _ *drill.Options) { e.mute = true }, drill.PartReceiver, "has not sent anything"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, e, o := newEngine(t)
			test.breaks(e, o)
			o.Patience = 5 * time.Second
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() { defer close(ended); e.run(ctx) }()
			defer func() { cancel(); <-ended }()
			result := c.drill(t.Context(), o, "ThreadsHigh")[0]
			require.Equal(t, drill.Failed, result.Verdict, result.Words())
			require.Equal(t, test.part, result.Part, result.Words())
			require.Contains(t, result.Reason, test.words)
		})
	}
}
