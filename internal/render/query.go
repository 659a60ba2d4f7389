package render

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
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
	// compute is a server-side expression, which is worked out here; hidden is a query that only such an expression uses.
	compute *dashboard.Node
	hidden  bool

	series []answerSeries
	// buckets are of native histograms in the answer: a series for each upper bound, cumulative, as classic histograms have them.
	buckets []answerSeries
	err     error
}

// shown tells whether the picture shows the query's answer.
func (q *query) shown() bool { return q.skip == "" && !q.hidden }

// sent tells whether Prometheus is asked.
func (q *query) sent() bool { return q.skip == "" && q.compute == nil }

func (q *query) key() string { return fmt.Sprintf("%s\x00%d\x00%v", q.expr, q.step, q.instant) }

// plan lists the queries of a panel that is width pixels wide.
func (r *renderer) plan(p *dashboard.Panel, sc *scope, width float64) []*query {
	return r.planFor(p, sc, width, false)
}

// planFor is plan; reused is a panel whose result another one shows.
func (r *renderer) planFor(p *dashboard.Panel, sc *scope, width float64, reused bool) []*query {
	var out []*query
	if p.Type == "alertlist" && !reused {
		return []*query{alertQuery(p, sc)}
	}
	computed := slices.ContainsFunc(p.Targets, func(t *dashboard.Target) bool {
		return !t.Hide && r.d.Datasource(p, t).Kind == dashboard.RefExpr
	})
	for _, t := range p.Targets {
		if t.Hide && !computed {
			continue
		}
		q := &query{target: t, instant: t.Instant && !t.Node.Get("range").Bool(), hidden: t.Hide}
		ds := r.d.Datasource(p, t)
		if ds.Kind == dashboard.RefDashboard || t.Node.Get("panelId").Is(dashboard.Number) && t.ExprNode == nil {
			if of := r.otherPanel(t); of != nil && of != p && !reused {
				out = append(out, r.planFor(of, sc, width, true)...)
				continue
			}
		}
		out = append(out, q)
		q.expr = sc.text(queryText(t, ds))
		switch {
		case ds.Kind == dashboard.RefDashboard || t.Node.Get("panelId").Is(dashboard.Number) && t.ExprNode == nil:
			q.skip = "takes the result of a panel that is not here"
			continue
		case ds.Kind == dashboard.RefExpr:
			q.compute = t.Node
			continue
		case !isPrometheus(ds):
			q.skip = "asks " + cmp.Or(ds.Type, "another datasource")
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
		q.expr = narrowed(strings.TrimSpace(sc.promql(t.Expr, q.step, r.scrape)), r.filters)
	}
	return out
}

// otherPanel is the panel whose result a target takes, nil if it is not in the dashboard.
func (r *renderer) otherPanel(t *dashboard.Target) *dashboard.Panel {
	id, ok := t.Node.Get("panelId").Int()
	if !ok {
		return nil
	}
	i := slices.IndexFunc(r.d.Panels, func(p *dashboard.Panel) bool { return p.HasID && p.ID == id && !p.IsRow() })
	if i < 0 {
		return nil
	}
	return r.d.Panels[i]
}

const parallelQueries = 8

// ask sends every query once, however many panels have it.
func (r *renderer) ask(ctx context.Context, views []*view) error {
	jobs := map[string]*query{}
	var order []string
	for _, v := range views {
		for _, q := range v.queries {
			if q.sent() {
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
			if !q.sent() {
				continue
			}
			if same := jobs[q.key()]; same != q {
				q.series, q.buckets, q.err = same.series, same.buckets, same.err
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
			q.addBuckets(s.Metric, s.Histograms...)
		}
	case model.Vector:
		for _, s := range res {
			if s.Histogram == nil {
				out = append(out, answerSeries{s.Metric, []point{{float64(s.Timestamp) / 1000, float64(s.Value)}}})
			} else {
				q.addBuckets(s.Metric, model.SampleHistogramPair{Timestamp: s.Timestamp, Histogram: s.Histogram})
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

// addBuckets turns native histograms into series as classic ones are: one for each upper bound, with what is counted up to it.
func (q *query) addBuckets(metric model.Metric, list ...model.SampleHistogramPair) {
	at := map[float64]int{}
	for _, h := range list {
		for _, b := range h.Histogram.Buckets {
			if _, ok := at[float64(b.Upper)]; !ok {
				labels := metric.Clone()
				labels[model.BucketLabel] = model.LabelValue(strconv.FormatFloat(float64(b.Upper), 'g', -1, 64))
				at[float64(b.Upper)] = len(q.buckets)
				q.buckets = append(q.buckets, answerSeries{metric: labels})
			}
		}
	}
	uppers := slices.Sorted(maps.Keys(at))
	for _, h := range list {
		counts := map[float64]float64{}
		for _, b := range h.Histogram.Buckets {
			counts[float64(b.Upper)] += float64(b.Count)
		}
		sum := 0.0
		for _, u := range uppers {
			sum += counts[u]
			s := &q.buckets[at[u]]
			s.points = append(s.points, point{float64(h.Timestamp) / 1000, sum})
		}
	}
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
