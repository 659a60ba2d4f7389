package render

import (
	"context"
	"fmt"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"lookout/internal/dashboard"
)

// Theme is the set of colours.
type Theme string

const (
	Dark  Theme = "dark"
	Light Theme = "light"
)

// MarkKind says what a review found about a panel.
type MarkKind uint8

const (
	MarkNone MarkKind = iota
	MarkAdded
	MarkRemoved
	MarkChanged
	MarkMoved
)

// String is the word shown on the panel.
func (k MarkKind) String() string {
	switch k {
	case MarkAdded:
		return "added"
	case MarkRemoved:
		return "removed"
	case MarkChanged:
		return "changed"
	case MarkMoved:
		return "moved"
	}
	return ""
}

// Mark puts a coloured frame and a badge on a panel.
type Mark struct {
	Kind MarkKind
	// Note replaces the kind's word on the badge if it is not empty: "query, unit", "moved, wider".
	Note string
}

// Querier is what is needed of Prometheus' HTTP API; [v1.API] has it.
type Querier interface {
	Query(ctx context.Context, query string, ts time.Time, opts ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error)
	QueryRange(ctx context.Context, query string, r v1.Range, opts ...v1.Option) (model.Value, v1.Warnings, v1.Infos, error)
	LabelNames(ctx context.Context, matches []string, start, end time.Time, opts ...v1.Option) (model.LabelNames, v1.Warnings, v1.Infos, error)
	LabelValues(ctx context.Context, label string, matches []string, start, end time.Time, opts ...v1.Option) (model.LabelValues, v1.Warnings, v1.Infos, error)
}

// Options say how to draw. The zero value is a dark picture of 1400 pixels without data.
type Options struct {
	// Theme is [Dark] if empty.
	Theme Theme
	// Width of the picture in pixels; 0 means 1400. Values outside of 400 to 4000 are refused.
	Width int
	// Expand draws the panels of collapsed rows, too.
	Expand bool
	// Tab draws only what stands in this tab of a V2 dashboard, one of [Tabs]; nil draws all tabs below one another.
	Tab *dashboard.Panel
	// Marks by panel of the dashboard that is drawn. A marked panel inside a collapsed row opens the row.
	Marks map[*dashboard.Panel]Mark

	// Prometheus answers the queries. nil draws what the panels would ask.
	Prometheus Querier
	// Start and End are the time range. If both are zero the range is the dashboard's own, ending at Now.
	Start, End time.Time
	// Now is what "now" means in the dashboard's time range. It is needed if there is a Prometheus and no End.
	Now time.Time
	// Location is the time zone of axes and tables; nil means UTC.
	Location *time.Location
	// Variables are values of template variables by name, which count more than what the dashboard or Prometheus say.
	Variables map[string][]string
	// ScrapeInterval is the least window that $__rate_interval is computed from; 0 means 15 s, Grafana's default.
	ScrapeInterval time.Duration

	// Fonts are files (TrueType or OpenType, collections too) that a PNG takes characters from which the built-in Latin font lacks, before
	// those installed on the machine.
	Fonts []string
	// Scale is the number of PNG pixels to a pixel of the picture; 0 means 1.
	Scale float64

	// Report is filled in if it is not nil.
	Report *Report

	// only is the panel that is asked for; others are laid out and not queried.
	only *dashboard.Panel
}

// Report is what the maker of a picture should know beside the picture.
type Report struct {
	// Panels drawn, placeholders among them, and queries sent to Prometheus.
	Panels, Placeholders, Queries int
	// Problems of single panels or variables; they are drawn in the panel, too.
	Problems []Problem
	// Missing are characters that no font had, in order of appearance; only a PNG has any.
	Missing []rune
}

// Problem is a query that failed.
type Problem struct {
	// Panel is the panel's title, "" for a variable's.
	Panel string
	// Variable is the name of the variable, "" for a panel's.
	Variable string
	Query    string
	Err      error
}

// Error is one line that names the place, the query and the reason.
func (p Problem) Error() string {
	if p.Variable != "" {
		return fmt.Sprintf("variable %s: %s: %v", p.Variable, oneLine(p.Query), p.Err)
	}
	return fmt.Sprintf("panel %q: %s: %v", p.Panel, oneLine(p.Query), p.Err)
}

// SVG draws a dashboard as one SVG document. It has no ids and no scripts, so that several of them can stand in one HTML page. Errors are wrong options,
// a cancelled context, or a Prometheus that cannot be reached at all; a query that fails is drawn in its panel and reported.
func SVG(ctx context.Context, d *dashboard.Dashboard, opts Options) ([]byte, error) {
	r, err := newRenderer(ctx, d, opts)
	if err != nil {
		return nil, err
	}
	c := newSVGCanvas(r.width, r.layout.height)
	r.draw(c, r.layout.height)
	return c.bytes(d.Name()), nil
}
