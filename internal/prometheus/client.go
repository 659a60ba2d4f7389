// Package prometheus asks a Prometheus on behalf of many readers at once: the same question is asked once and its answer kept for a moment, no question may take longer
// or answer more than a limit, and what was cut off says what it would have cost.
package prometheus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	prom "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"

	"lookout/internal/flight"
)

// Config says whom to ask and how much. Zero values mean the defaults.
type Config struct {
	// URL is the address, with the path that comes before /api/v1; user and password in it are sent as basic authentication.
	URL string
	// Transport carries the requests; nil means one of its own.
	Transport http.RoundTripper
	// Timeout is how long a question may take; 15 s by default. Prometheus is told, so that it stops, too.
	Timeout time.Duration
	// MaxBytes of an answer, unpacked; 16 MiB by default.
	MaxBytes int64
	// MaxSeries and MaxPoints of an answer; 2,000 and 400,000 by default.
	MaxSeries, MaxPoints int
	// Parallel is how many questions are asked at the same time; 16 by default.
	Parallel int
	// Keep is how long an answer is good for others; 10 s by default.
	Keep time.Duration
	// CacheBytes bounds what is kept, roughly; 6 MiB by default.
	CacheBytes int
	// Registerer gets metrics; may be nil.
	Registerer prom.Registerer
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Client asks one Prometheus. It implements render.Querier; what it returns is shared and must not be changed.
type Client struct {
	cfg     Config
	api     v1.API
	shown   string
	slots   chan struct{}
	cache   *flight.Cache[answer]
	metrics *metrics

	mu       sync.Mutex
	down     error
	downAt   time.Time
	answered time.Time
}

// New makes a client; it does not ask yet. The error is a wrong URL.
func New(cfg Config) (*Client, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%q is not a valid address of a Prometheus; write http://host:9090", cfg.URL)
	}
	setDefault(&cfg.Timeout, 15*time.Second)
	setDefault(&cfg.MaxBytes, 16<<20)
	setDefault(&cfg.MaxSeries, 2000)
	setDefault(&cfg.MaxPoints, 400_000)
	setDefault(&cfg.Parallel, 16)
	setDefault(&cfg.Keep, 10*time.Second)
	setDefault(&cfg.CacheBytes, 6<<20)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Transport == nil {
		cfg.Transport = &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
			MaxIdleConnsPerHost: cfg.Parallel, IdleConnTimeout: time.Minute, ResponseHeaderTimeout: cfg.Timeout,
		}
	}
	client, err := api.NewClient(api.Config{Address: cfg.URL, Client: &http.Client{Transport: &limited{cfg.Transport, cfg.MaxBytes}}})
	if err != nil {
		return nil, fmt.Errorf("%q is not a valid address of a Prometheus: %w", u.Redacted(), err)
	}
	c := &Client{cfg: cfg, api: v1.NewAPI(client), shown: u.Redacted(), slots: make(chan struct{}, cfg.Parallel), metrics: newMetrics(cfg.Registerer)}
	c.cache = flight.New[answer](cfg.CacheBytes, cfg.Now)
	return c, nil
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// Address is the URL without a password.
func (c *Client) Address() string { return c.shown }

// CostError says that a question was cut off since it is too dear, and what it would have cost.
type CostError struct{ Cost, Limit string }

// Error is one sentence.
func (e *CostError) Error() string {
	return fmt.Sprintf("cut off, too expensive: %s; the limit is %s. Narrow the selector, aggregate, or choose a shorter range", e.Cost, e.Limit)
}

// limited cuts off answers that are too long.
type limited struct {
	next http.RoundTripper
	max  int64
}

// RoundTrip implements [http.RoundTripper].
func (l *limited) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = &limitedBody{resp.Body, l.max, l.max}
	return resp, nil
}

type limitedBody struct {
	io.ReadCloser
	left, max int64
}

// Read implements [io.Reader].
func (b *limitedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, &CostError{"an answer of more than " + bytesText(b.max), bytesText(b.max)}
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, &CostError{"an answer of more than " + bytesText(b.max), bytesText(b.max)}
	}
	return n, err
}

func bytesText(n int64) string {
	if n >= 1<<20 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}

// Down is what keeps Prometheus from being asked, nil if the last question was answered or none was asked; since is when that began.
//
//lint:ignore ST1008 the error is what is asked for
func (c *Client) Down() (reason error, since time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.down, c.downAt
}

// Answered is when Prometheus last answered, in whatever way.
func (c *Client) Answered() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.answered
}

// Unreachable tells an error of the way to Prometheus from one that Prometheus gave.
func Unreachable(err error) bool {
	var apiErr *v1.Error
	if errors.As(err, &apiErr) {
		return false
	}
	var cost *CostError
	var op *net.OpError
	return err != nil && !errors.As(err, &cost) && (errors.As(err, &op) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF))
}

// note remembers how an exchange ended.
func (c *Client) note(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case errors.Is(err, context.Canceled):
	case Unreachable(err):
		if c.down == nil {
			c.downAt = c.cfg.Now()
		}
		c.down = err
	default:
		c.down, c.downAt, c.answered = nil, time.Time{}, c.cfg.Now()
	}
}

// answer is what is kept of an exchange.
type answer struct {
	value any
	warn  v1.Warnings
}

// ask asks once for all that want the same at the same time, and answers from what is kept for a while.
func (c *Client) ask(ctx context.Context, key string, keep time.Duration, do func(context.Context) (any, v1.Warnings, error)) (any, v1.Warnings, error) {
	a, from, err := c.cache.Do(ctx, key, keep, func(ctx context.Context) (answer, int, error) {
		limit, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
		defer cancel()
		select {
		case c.slots <- struct{}{}:
			defer func() { <-c.slots }()
		case <-limit.Done():
			return answer{}, 0, fmt.Errorf("%d questions are being asked already: %w", c.cfg.Parallel, limit.Err())
		}
		began := c.cfg.Now()
		value, warn, err := do(limit)
		took := c.cfg.Now().Sub(began)
		c.note(err)
		err = c.explain(err, took)
		c.metrics.observe(took, err)
		return answer{value, warn}, sizeOf(value), err
	})
	c.metrics.answers.WithLabelValues(string(from)).Inc()
	return a.value, a.warn, err
}

// explain names the cost of what was cut off for its time.
func (c *Client) explain(err error, took time.Duration) error {
	if timedOut(err) {
		return &CostError{fmt.Sprintf("%.1f s of computing and not done", took.Seconds()), c.cfg.Timeout.String()}
	}
	var cost *CostError
	if errors.As(err, &cost) {
		return cost
	}
	return err
}

// timedOut tells that Prometheus has given up a query. It answers 503 then, of which the client reads no more than the status.
func timedOut(err error) bool {
	var apiErr *v1.Error
	if !errors.As(err, &apiErr) {
		return false
	}
	var answer struct {
		Type v1.ErrorType `json:"errorType"`
	}
	return apiErr.Type == v1.ErrTimeout || json.Unmarshal([]byte(apiErr.Detail), &answer) == nil && answer.Type == v1.ErrTimeout
}

func sizeOf(v any) int {
	const entry = 512
	size := entry
	switch v := v.(type) {
	case model.Matrix:
		for _, s := range v {
			size += entry + 16*len(s.Values)
		}
	case model.Vector:
		size += entry * len(v)
	case model.LabelValues:
		size += 32 * len(v)
	case model.LabelNames:
		size += 32 * len(v)
	case v1.RulesResult:
		for _, g := range v.Groups {
			size += 4 * entry * len(g.Rules)
		}
	case v1.TargetsResult:
		size += 4 * entry * (len(v.Active) + len(v.Dropped))
	}
	return size
}

// Query asks for one point in time.
func (c *Client) Query(ctx context.Context, query string, ts time.Time, _ ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	key := fmt.Sprintf("i\x00%s\x00%d", query, ts.UnixMilli())
	v, warn, err := c.ask(ctx, key, c.cfg.Keep, func(ctx context.Context) (any, v1.Warnings, error) {
		val, warn, _, err := c.api.Query(ctx, query, ts, v1.WithTimeout(c.cfg.Timeout), v1.WithLimit(uint64(c.cfg.MaxSeries)))
		if err == nil {
			err = c.truncated(warn, c.cfg.MaxSeries, 1)
		}
		return val, warn, err
	})
	val, _ := v.(model.Value)
	return val, warn, nil, err
}

// QueryRange asks for a range.
func (c *Client) QueryRange(ctx context.Context, query string, r v1.Range, _ ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	steps := int(r.End.Sub(r.Start)/max(r.Step, time.Millisecond)) + 1
	limit := max(min(c.cfg.MaxSeries, c.cfg.MaxPoints/steps), 1)
	key := fmt.Sprintf("r\x00%s\x00%d\x00%d\x00%d", query, r.Start.UnixMilli(), r.End.UnixMilli(), r.Step.Milliseconds())
	v, warn, err := c.ask(ctx, key, c.cfg.Keep, func(ctx context.Context) (any, v1.Warnings, error) {
		val, warn, _, err := c.api.QueryRange(ctx, query, r, v1.WithTimeout(c.cfg.Timeout), v1.WithLimit(uint64(limit)))
		if err == nil {
			err = c.truncated(warn, limit, steps)
		}
		return val, warn, err
	})
	val, _ := v.(model.Value)
	return val, warn, nil, err
}

func (c *Client) truncated(warn v1.Warnings, series, steps int) error {
	if !slices.ContainsFunc(warn, func(w string) bool { return strings.Contains(w, "truncated due to limit") }) {
		return nil
	}
	return &CostError{
		fmt.Sprintf("more than %d series of %d points, %d points in all", series, steps, series*steps),
		fmt.Sprintf("%d series and %d points", c.cfg.MaxSeries, c.cfg.MaxPoints),
	}
}

// LabelNames asks for the names of labels.
func (c *Client) LabelNames(ctx context.Context, matches []string, start, end time.Time, _ ...v1.Option) (model.LabelNames, v1.Warnings, v1.Infos, error) {
	key := fmt.Sprintf("n\x00%q\x00%d\x00%d", matches, start.UnixMilli(), end.UnixMilli())
	v, warn, err := c.ask(ctx, key, c.cfg.Keep, func(ctx context.Context) (any, v1.Warnings, error) {
		val, warn, _, err := c.api.LabelNames(ctx, matches, start, end, v1.WithLimit(uint64(c.cfg.MaxSeries)))
		return val, warn, err
	})
	val, _ := v.(model.LabelNames)
	return val, warn, nil, err
}

// LabelValues asks for the values of a label.
func (c *Client) LabelValues(ctx context.Context, label string, matches []string, start, end time.Time, _ ...v1.Option) (model.LabelValues, v1.Warnings, v1.Infos, error) {
	key := fmt.Sprintf("l\x00%s\x00%q\x00%d\x00%d", label, matches, start.UnixMilli(), end.UnixMilli())
	v, warn, err := c.ask(ctx, key, c.cfg.Keep, func(ctx context.Context) (any, v1.Warnings, error) {
		val, warn, _, err := c.api.LabelValues(ctx, label, matches, start, end, v1.WithLimit(10_000))
		return val, warn, err
	})
	val, _ := v.(model.LabelValues)
	return val, warn, nil, err
}

// shortly is how long rules, alerts and targets are kept: as fresh as a person notices, asked once however many look.
const shortly = time.Second

// Rules are all rule groups with their alerts.
func (c *Client) Rules(ctx context.Context) (v1.RulesResult, error) {
	v, _, err := c.ask(ctx, "rules", shortly, func(ctx context.Context) (any, v1.Warnings, error) {
		r, err := c.api.Rules(ctx, nil)
		return r, nil, err
	})
	r, _ := v.(v1.RulesResult)
	return r, err
}

// Targets are what is scraped.
func (c *Client) Targets(ctx context.Context) (v1.TargetsResult, error) {
	v, _, err := c.ask(ctx, "targets", shortly, func(ctx context.Context) (any, v1.Warnings, error) {
		r, err := c.api.Targets(ctx)
		return r, nil, err
	})
	r, _ := v.(v1.TargetsResult)
	return r, err
}

// HTTP is a client for what needs more than this package asks; its answers are bounded, too.
func (c *Client) HTTP() *http.Client {
	return &http.Client{Transport: &limited{c.cfg.Transport, c.cfg.MaxBytes}, Timeout: c.cfg.Timeout}
}
