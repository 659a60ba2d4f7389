package render

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"lookout/internal/dashboard"
)

// point is a sample: t in Unix seconds.
type point struct{ t, v float64 }

// answerSeries is one series of an answer.
type answerSeries struct {
	metric model.Metric
	points []point
}

// query is one target of a panel, ready to be asked.
type query struct {
	target  *dashboard.Target
	expr    string // with everything substituted
	step    time.Duration
	instant bool
	// skip tells why the target is not asked.
	skip string

	series []answerSeries
	err    error
}

func (q *query) key() string { return fmt.Sprintf("%s\x00%d\x00%v", q.expr, q.step, q.instant) }

// plan lists the queries of a panel that is width pixels wide.
func (r *renderer) plan(p *dashboard.Panel, sc *scope, width float64) []*query {
	var out []*query
	for _, t := range p.Targets {
		if t.Hide {
			continue
		}
		q := &query{target: t, instant: t.Instant && !t.Node.Get("range").Bool()}
		out = append(out, q)
		ds := r.d.Datasource(p, t)
		switch {
		case ds.Kind == dashboard.RefDashboard || t.Node.Get("panelId").Is(dashboard.Number) && t.ExprNode == nil:
			q.skip = "takes the result of another panel"
			continue
		case ds.Kind == dashboard.RefExpr:
			q.skip = "is a server-side expression"
			continue
		case !isPrometheus(ds):
			q.skip = "asks " + cmp.Or(ds.Type, "another datasource")
			q.expr = oneLine(sc.text(t.Expr))
			continue
		case strings.TrimSpace(t.Expr) == "":
			q.skip = "has no query"
			continue
		}
		points, ok := p.Node.Get("maxDataPoints").Float()
		if !ok || points < 2 {
			points = max(width, 100)
		}
		least := r.scrape
		for _, s := range []string{t.Interval, p.Node.Get("interval").Scalarish()} {
			if d, ok := parseInterval(sc.replace(s, nil, value.text)); ok {
				least = d
				break
			}
		}
		q.step = stepFor(r.end.Sub(r.start), points, least)
		if f, ok := t.Node.Get("intervalFactor").Float(); ok && f > 1 && f <= 10 {
			q.step = time.Duration(float64(q.step) * math.Trunc(f))
		}
		q.expr = strings.TrimSpace(sc.promql(t.Expr, q.step, r.scrape))
	}
	return out
}

const parallelQueries = 8

// ask sends every query once, however many panels have it.
func (r *renderer) ask(ctx context.Context, views []*view) error {
	jobs := map[string]*query{}
	var order []string
	for _, v := range views {
		for _, q := range v.queries {
			if q.skip == "" {
				if k := q.key(); jobs[k] == nil {
					jobs[k] = q
					order = append(order, k)
				}
			}
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallelQueries)
	for _, k := range order {
		q := jobs[k]
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if ctx.Err() != nil {
				q.err = context.Cause(ctx)
				return
			}
			if q.series, q.err = r.fetch(ctx, q); q.err != nil && unreachable(q.err) {
				cancel(q.err)
			}
		})
	}
	wg.Wait()
	r.report.Queries += len(order)
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("ask Prometheus: %w", context.Cause(ctx))
	}
	for _, k := range order {
		if jobs[k].err == nil {
			r.answered++
		}
	}
	for _, v := range views {
		for _, q := range v.queries {
			if q.skip != "" {
				continue
			}
			if same := jobs[q.key()]; same != q {
				q.series, q.err = same.series, same.err
			}
			if q.err != nil {
				if fatal := r.queryFailed(ctx, Problem{Panel: v.title(), Query: q.expr, Err: q.err}); fatal != nil {
					return fatal
				}
			}
		}
	}
	if r.answered == 0 && len(r.report.Problems) > 0 && !understood(r.report.Problems[0].Err) {
		return fmt.Errorf("ask Prometheus: no query was answered: %w", r.report.Problems[0].Err)
	}
	return nil
}

// queryFailed notes a problem of one query; it returns the error instead if no other query can do better.
func (r *renderer) queryFailed(ctx context.Context, p Problem) error {
	if ctx.Err() != nil || unreachable(p.Err) {
		return fmt.Errorf("ask Prometheus: %w", p.Err)
	}
	r.report.Problems = append(r.report.Problems, p)
	return nil
}

// unreachable tells an error of the way to Prometheus from one of a query. A timeout may be the query's fault.
func unreachable(err error) bool {
	var op *net.OpError
	var api *v1.Error
	return errors.As(err, &op) && !op.Timeout() && !errors.As(err, &api)
}

// understood tells that Prometheus has read the query and refused it.
func understood(err error) bool {
	var api *v1.Error
	return errors.As(err, &api) && (api.Type == v1.ErrBadData || api.Type == v1.ErrExec || api.Type == v1.ErrTimeout || api.Type == v1.ErrCanceled)
}

func (r *renderer) fetch(ctx context.Context, q *query) ([]answerSeries, error) {
	var res model.Value
	var err error
	if q.instant {
		res, _, _, err = r.opts.Prometheus.Query(ctx, q.expr, r.end)
	} else {
		// Aligned to the step, so that the same data give the same curve a second later; within the range, unless no point would be.
		start := r.start.Truncate(q.step)
		if next := start.Add(q.step); start.Before(r.start) && !next.After(r.end) {
			start = next
		}
		res, _, _, err = r.opts.Prometheus.QueryRange(ctx, q.expr, v1.Range{Start: start, End: r.end, Step: q.step})
	}
	if err != nil {
		return nil, err
	}
	var out []answerSeries
	switch res := res.(type) {
	case model.Matrix:
		for _, s := range res {
			one := answerSeries{metric: s.Metric, points: make([]point, 0, len(s.Values))}
			for _, p := range s.Values {
				one.points = append(one.points, point{float64(p.Timestamp) / 1000, float64(p.Value)})
			}
			if len(one.points) > 0 {
				out = append(out, one)
			}
		}
	case model.Vector:
		for _, s := range res {
			if s.Histogram == nil {
				out = append(out, answerSeries{s.Metric, []point{{float64(s.Timestamp) / 1000, float64(s.Value)}}})
			}
		}
	case *model.Scalar:
		out = append(out, answerSeries{nil, []point{{float64(res.Timestamp) / 1000, float64(res.Value)}}})
	}
	// An instant answer has no order of its own unless it was asked for.
	if !strings.Contains(q.expr, "sort") && !strings.Contains(q.expr, "topk") && !strings.Contains(q.expr, "bottomk") {
		slices.SortStableFunc(out, func(a, b answerSeries) int { return cmp.Compare(a.metric.String(), b.metric.String()) })
	}
	return out, nil
}

// compareLabel puts numbers in numeric order (le="5" before le="10").
func compareLabel(x, y string) int {
	fx, okx := parseNumber(x)
	fy, oky := parseNumber(y)
	if okx && oky {
		return cmp.Compare(fx, fy)
	}
	return cmp.Compare(x, y)
}

func parseNumber(s string) (float64, bool) {
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil && !math.IsNaN(f)
}
