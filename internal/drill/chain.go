package drill

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"

	"lookout/internal/alertmanager"
	"lookout/internal/drill/series"
)

// Engines.
const (
	EnginePrometheus = "prometheus"
	EngineGrafana    = "grafana"
)

// Address is where a service is reached from here, and what it is asked with.
type Address struct {
	// URL without the path of an API; "" where the service does not exist.
	URL string
	// Authorization is the header of that name; "" for none.
	Authorization string
}

// Chain is where everything along the way of an alert is.
type Chain struct {
	// Engine is who evaluates: [EnginePrometheus] or [EngineGrafana].
	Engine                                                             string
	Prometheus, Alertmanager, Grafana, Relay, Robot, Console, Exporter Address

	client *http.Client
	am     *alertmanager.Client

	rulesSeen   cached[[]liveRule]
	alertsSeen  cached[[]alertmanager.Alert]
	sentSeen    cached[[]sent]
	targetsSeen cached[[]target]
}

// cached is an answer that several drills look at.
type cached[T any] struct {
	mu  sync.Mutex
	at  time.Time
	val T
	err error
}

// fresh is how old an answer may be. It bounds how exactly a stage is seen whose time no server says.
const fresh = 150 * time.Millisecond

func (c *cached[T]) get(fresh time.Duration, ask func() (T, error)) (T, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.at) > fresh {
		c.val, c.err = ask()
		c.at = time.Now()
	}
	return c.val, c.err
}

// requestTimeout is how long one question may take.
const requestTimeout = 5 * time.Second

// Open makes the clients; it does not ask yet.
func (c *Chain) Open() error {
	c.client = &http.Client{Timeout: requestTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	am := c.Alertmanager
	if c.Engine == EngineGrafana {
		am = Address{URL: strings.TrimRight(c.Grafana.URL, "/") + "/api/alertmanager/grafana", Authorization: c.Grafana.Authorization}
	}
	var err error
	c.am, err = alertmanager.New(am.URL, authorized{am.Authorization}, requestTimeout)
	return err
}

type authorized struct{ header string }

// RoundTrip implements [http.RoundTripper].
func (a authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	if a.header != "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", a.header)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// answeredError is an answer that is no success.
type answeredError struct {
	status int
	text   string
}

func (e *answeredError) Error() string { return fmt.Sprintf("HTTP %d %s", e.status, e.text) }

// status is that of an answer, 0 if there was none.
func status(err error) int {
	var a *answeredError
	if errors.As(err, &a) {
		return a.status
	}
	var am *alertmanager.Error
	if errors.As(err, &am) {
		return am.Status
	}
	return 0
}

func (c *Chain) do(ctx context.Context, to Address, method, path string, body, into any) error {
	if to.URL == "" {
		return errors.New("no address given")
	}
	var payload io.Reader
	if body != nil {
		switch b := body.(type) {
		case string:
			payload = strings.NewReader(b)
		default:
			data, err := json.Marshal(body)
			if err != nil {
				return err
			}
			payload = bytes.NewReader(data)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(to.URL, "/")+path, payload)
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if to.Authorization != "" {
		req.Header.Set("Authorization", to.Authorization)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 32<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		text := strings.Join(strings.Fields(string(data)), " ")
		return &answeredError{resp.StatusCode, text[:min(len(text), 300)]}
	}
	switch into := into.(type) {
	case nil:
		return nil
	case *string:
		*into = string(data)
		return nil
	}
	return json.Unmarshal(data, into)
}

// liveRule is a rule as the engine has it.
type liveRule struct {
	Name, State, Health, LastError, Query string
	Duration                              float64
	Labels                                map[string]string
	Alerts                                []struct {
		Labels   map[string]string
		State    string
		ActiveAt time.Time
		Value    string
	}
	LastEvaluation time.Time

	interval time.Duration
}

func (c *Chain) engineAddress() (Address, string) {
	if c.Engine == EngineGrafana {
		return c.Grafana, "/api/prometheus/grafana/api/v1/rules"
	}
	return c.Prometheus, "/api/v1/rules?type=alert"
}

func (c *Chain) rules(ctx context.Context) ([]liveRule, error) {
	return c.rulesSeen.get(fresh, func() ([]liveRule, error) {
		var answer struct {
			Data struct {
				Groups []struct {
					Interval float64
					Rules    []liveRule
				}
			}
		}
		to, path := c.engineAddress()
		if err := c.do(ctx, to, http.MethodGet, path, nil, &answer); err != nil {
			return nil, err
		}
		var out []liveRule
		for _, g := range answer.Data.Groups {
			for _, r := range g.Rules {
				r.interval = time.Duration(g.Interval * float64(time.Second))
				out = append(out, r)
			}
		}
		return out, nil
	})
}

// Loaded are the names of the rules that the engine evaluates.
func (c *Chain) Loaded(ctx context.Context) ([]string, error) {
	all, err := c.rules(ctx)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(all))
	for _, r := range all {
		names = append(names, r.Name)
	}
	return names, nil
}

// rule is the engine's rule of that name; nil if it has none.
func (c *Chain) rule(ctx context.Context, name string) (*liveRule, error) {
	all, err := c.rules(ctx)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Name == name {
			return &all[i], nil
		}
	}
	return nil, nil
}

// state is that of the rule's alert with these labels, as Prometheus calls it; "inactive" for none.
func (r *liveRule) state(want map[string]string) (state string, since time.Time) {
	for _, a := range r.Alerts {
		if !holds(a.Labels, want) {
			continue
		}
		switch s := strings.ToLower(a.State); s {
		case "pending":
			return s, a.ActiveAt
		case "firing", "alerting":
			return "firing", a.ActiveAt
		}
	}
	return "inactive", time.Time{}
}

// holds tells whether labels have all that is wanted.
func holds(have, want map[string]string) bool {
	for k, v := range want {
		if have[k] != v {
			return false
		}
	}
	return true
}

func (c *Chain) alerts(ctx context.Context) ([]alertmanager.Alert, error) {
	return c.alertsSeen.get(fresh, func() ([]alertmanager.Alert, error) { return c.am.Alerts(ctx) })
}

// alert is Alertmanager's alert with these labels; nil if it has none.
func (c *Chain) alert(ctx context.Context, want map[string]string) (*alertmanager.Alert, error) {
	all, err := c.alerts(ctx)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if holds(all[i].Labels, want) {
			return &all[i], nil
		}
	}
	return nil, nil
}

// sent is an answer to the relay's attempt to deliver a message.
type sent struct {
	ID                                 uint64
	At                                 time.Time
	Target, Peer, Title, Outcome, Code string
	Reason                             string
	Alerts                             []struct {
		Name, Status string
		Labels       map[string]string
	}
}

// delivered is the relay's outcome of a message that its chat accepted.
const delivered = "delivered"

func (s sent) about(want map[string]string, status string) bool {
	for _, a := range s.Alerts {
		if a.Status == status && holds(a.Labels, want) {
			return true
		}
	}
	return false
}

func (c *Chain) sent(ctx context.Context) ([]sent, error) {
	return c.sentSeen.get(3*fresh, func() ([]sent, error) {
		var answer struct{ Sent []sent }
		err := c.do(ctx, c.Relay, http.MethodGet, "/api/sent", nil, &answer)
		return answer.Sent, err
	})
}

type target struct {
	Labels         map[string]string
	Health         string
	LastError      string
	LastScrape     time.Time
	ScrapeInterval string
}

func (t target) interval() time.Duration { return durationOf(t.ScrapeInterval) }

func (c *Chain) targets(ctx context.Context) ([]target, error) {
	return c.targetsSeen.get(fresh, func() ([]target, error) {
		var answer struct {
			Data struct{ ActiveTargets []target }
		}
		err := c.do(ctx, c.Prometheus, http.MethodGet, "/api/v1/targets?state=active", nil, &answer)
		return answer.Data.ActiveTargets, err
	})
}

// target is the first one of a job; nil if there is none.
func (c *Chain) target(ctx context.Context, job string) (*target, error) {
	all, err := c.targets(ctx)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Labels["job"] == job {
			return &all[i], nil
		}
	}
	return nil, nil
}

type sample struct {
	labels map[string]string
	at     time.Time
	value  float64
}

// query asks for an instant vector or a range selector; of a range every sample is one.
func (c *Chain) query(ctx context.Context, expr string) ([]sample, error) {
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Value  *[2]any
				Values [][2]any
			}
		}
	}
	if err := c.do(ctx, c.Prometheus, http.MethodGet, "/api/v1/query?query="+url.QueryEscape(expr), nil, &answer); err != nil {
		return nil, err
	}
	var out []sample
	for _, r := range answer.Data.Result {
		values := r.Values
		if r.Value != nil {
			values = append(values, *r.Value)
		}
		for _, v := range values {
			at, _ := v[0].(float64)
			text, _ := v[1].(string)
			value, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return nil, err
			}
			out = append(out, sample{r.Metric, time.UnixMilli(int64(at * 1000)), value})
		}
	}
	return out, nil
}

// metrics are the samples of a server's own exposition whose line begins with a name, by what stands before the value.
func (c *Chain) metrics(ctx context.Context, to Address, names ...string) (map[string]float64, error) {
	var text string
	if err := c.do(ctx, to, http.MethodGet, "/metrics", nil, &text); err != nil {
		return nil, err
	}
	out := map[string]float64{}
	for line := range strings.Lines(text) {
		i := strings.LastIndexByte(strings.TrimSpace(line), ' ')
		if i < 0 || line[0] == '#' {
			continue
		}
		name, _, _ := strings.Cut(line[:i], "{")
		for _, want := range names {
			if name == want {
				if v, err := strconv.ParseFloat(strings.TrimSpace(line[i:]), 64); err == nil {
					out[line[:i]] = v
				}
			}
		}
	}
	return out, nil
}

// timing are the durations of the engine's notifications.
type timing struct{ groupWait, groupInterval time.Duration }

func (c *Chain) timing(ctx context.Context) (timing, error) {
	var route struct {
		GroupWait     string `yaml:"group_wait" json:"group_wait"`
		GroupInterval string `yaml:"group_interval" json:"group_interval"`
	}
	if c.Engine == EngineGrafana {
		if err := c.do(ctx, c.Grafana, http.MethodGet, "/api/v1/provisioning/policies", nil, &route); err != nil {
			return timing{}, err
		}
	} else {
		var answer struct{ Config struct{ Original string } }
		if err := c.do(ctx, c.Alertmanager, http.MethodGet, "/api/v2/status", nil, &answer); err != nil {
			return timing{}, err
		}
		var config struct{ Route yaml.Node }
		if err := yaml.Unmarshal([]byte(answer.Config.Original), &config); err != nil {
			return timing{}, fmt.Errorf("its configuration: %w", err)
		}
		if err := config.Route.Decode(&route); err != nil {
			return timing{}, fmt.Errorf("its configuration: %w", err)
		}
	}
	// The defaults of Alertmanager and of Grafana.
	return timing{durationOf(first(route.GroupWait, "30s")), durationOf(first(route.GroupInterval, "5m"))}, nil
}

// message is one in the chat of the mock.
type message struct {
	ID          int64
	Time        time.Time
	Robot       string
	Accepted    bool
	Title, Text string
}

func (c *Chain) messages(ctx context.Context, since int64) ([]message, error) {
	var answer struct{ Messages []message }
	err := c.do(ctx, c.Robot, http.MethodGet, fmt.Sprintf("/api/messages?since=%d", since), nil, &answer)
	return answer.Messages, err
}

// write exposes series under a name until the lease ends.
func (c *Chain) write(ctx context.Context, name string, lease time.Duration, all []series.Series) error {
	return c.do(ctx, c.Console, http.MethodPut, series.WritePath+url.PathEscape(name), series.Write{Lease: lease.String(), Series: all}, nil)
}

func (c *Chain) erase(ctx context.Context, name string) error {
	return c.do(ctx, c.Console, http.MethodDelete, series.WritePath+url.PathEscape(name), nil, nil)
}

func (c *Chain) turn(ctx context.Context, knob string, value int64, lease time.Duration) error {
	return c.do(ctx, c.Exporter, http.MethodPut, "/faults/"+url.PathEscape(knob)+"?lease="+lease.String(), fmt.Sprint(value), nil)
}

func (c *Chain) giveBack(ctx context.Context, knob string) error {
	return c.do(ctx, c.Exporter, http.MethodDelete, "/faults/"+url.PathEscape(knob), nil, nil)
}

// Knobs are the faults of the sample service; none where it has none or there is no such service.
func (c *Chain) Knobs(ctx context.Context) []string {
	var values map[string]int64
	if c.Exporter.URL == "" || c.do(ctx, c.Exporter, http.MethodGet, "/faults", nil, &values) != nil {
		return nil
	}
	var out []string
	for name := range values {
		out = append(out, name)
	}
	return out
}

// ScrapeInterval is how often Prometheus scrapes what a drill writes; an error if it does not.
func (c *Chain) ScrapeInterval(ctx context.Context) (time.Duration, error) {
	t, err := c.target(ctx, Job)
	if err != nil {
		return 0, err
	}
	if t == nil {
		return 0, fmt.Errorf("Prometheus has no scrape job %q", Job)
	}
	return t.interval(), nil
}

// Job is the scrape job of the series that a drill writes.
const Job = "drill"
