package backtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"lookout/internal/dashboard"
	"lookout/internal/render"
)

// A picture is as wide as a comment shows it, and has this many alerts at most.
const (
	pictureWidth = 900
	mostDrawn    = 12
)

// Picture draws how many alerts of each rule would have fired over the time, before and after; PNG if asked for, else SVG. It is nil if there is none to draw.
func (r *Report) Picture(ctx context.Context, theme render.Theme, png bool) ([]byte, error) {
	answers := stored{}
	panels := dashboard.NewArray()
	n := 0
	for _, a := range r.Alerts {
		if a.Before == nil && a.After == nil || n == mostDrawn {
			continue
		}
		panel, err := dashboard.Parse("panel", []byte(`{"type": "timeseries", "fieldConfig": {"defaults": {"decimals": 0, "min": 0, "noValue": "never",
			"custom": {"fillOpacity": 40, "lineInterpolation": "stepAfter", "lineWidth": 1, "axisSoftMax": 1}}, "overrides": []},
			"options": {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": true}}}`))
		if err != nil {
			return nil, err
		}
		p := panel.Root
		p.Set("title", dashboard.NewString(a.Alert))
		targets := dashboard.NewArray()
		for _, side := range []struct {
			name string
			r    *Result
		}{{"before", a.Before}, {"after", a.After}} {
			if side.r == nil {
				continue
			}
			expr := fmt.Sprintf("firing_%d_%s", n, side.name)
			answers[expr] = side.r.Firings
			t := dashboard.NewObject()
			t.Set("refId", dashboard.NewString(strings.ToUpper(side.name[:1])))
			t.Set("expr", dashboard.NewString(expr))
			t.Set("legendFormat", dashboard.NewString(side.name+": "+side.r.often()))
			targets.Append(t)
		}
		p.Set("targets", targets)
		place := dashboard.NewObject()
		for _, e := range []struct {
			key   string
			value int
		}{{"x", n % 2 * 12}, {"y", n / 2 * 5}, {"w", 12}, {"h", 5}} {
			place.Set(e.key, dashboard.NewInt(int64(e.value)))
		}
		p.Set("gridPos", place)
		panels.Append(p)
		n++
	}
	if n == 0 {
		return nil, nil
	}
	root := dashboard.NewObject()
	title := "Alerts that would have fired"
	if n < len(r.Alerts) {
		title += fmt.Sprintf(" (%d of %d rules)", n, len(r.Alerts))
	}
	root.Set("title", dashboard.NewString(title))
	root.Set("panels", panels)
	d, err := dashboard.Load("backtest", root.JSON())
	if err != nil {
		return nil, err
	}
	draw := render.SVG
	if png {
		draw = render.PNG
	}
	return draw(ctx, d, render.Options{Theme: theme, Width: pictureWidth, Prometheus: answers, Start: r.Start, End: r.End})
}

// stored answers the queries of the picture with firings that are known, by expression.
type stored map[string][]Firing

var errNotStored = errors.New("not in the backtest")

// QueryRange counts the firings that touch each step, so that a short one is seen in a long time.
func (s stored) QueryRange(_ context.Context, query string, r v1.Range, _ ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	firings, ok := s[query]
	if !ok {
		return nil, nil, nil, errNotStored
	}
	stream := &model.SampleStream{Metric: model.Metric{"__name__": model.LabelValue(query)}}
	for at := r.Start; !at.After(r.End); at = at.Add(r.Step) {
		n := 0
		for _, f := range firings {
			if f.Start.Before(at.Add(r.Step)) && f.End.After(at) {
				n++
			}
		}
		stream.Values = append(stream.Values, model.SamplePair{Timestamp: model.TimeFromUnixNano(at.UnixNano()), Value: model.SampleValue(n)})
	}
	return model.Matrix{stream}, nil, nil, nil
}

// Query, LabelNames and LabelValues are never asked for by such a picture.
func (stored) Query(context.Context, string, time.Time, ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error) {
	return nil, nil, nil, errNotStored
}

func (stored) LabelNames(context.Context, []string, time.Time, time.Time, ...v1.Option) (model.LabelNames, v1.Warnings, v1.Infos, error) {
	return nil, nil, nil, errNotStored
}

func (stored) LabelValues(context.Context, string, []string, time.Time, time.Time, ...v1.Option) (model.LabelValues, v1.Warnings, v1.Infos, error) {
	return nil, nil, nil, errNotStored
}
