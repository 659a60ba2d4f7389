// Package backtest says how often and when an alert would have fired, from what a Prometheus has stored.
package backtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// Rule is what decides when an alert fires.
type Rule struct {
	// Expr is the whole condition in PromQL.
	Expr string
	// Interval is the time between two evaluations, For the pending period, and KeepFiringFor how long the alert goes on after its condition ended.
	Interval, For, KeepFiringFor time.Duration
}

// Firing is one alert from its first to its last evaluation.
type Firing struct {
	Labels model.Metric `json:"labels"`
	Start  time.Time    `json:"start"`
	End    time.Time    `json:"end"`
}

// Result is what came of a rule.
type Result struct {
	// Firings are in the order in which they began.
	Firings []Firing `json:"firings"`
	// Pending counts how often the condition held for less than the pending period.
	Pending int `json:"pending"`
	// Series is how many different results the condition had.
	Series int `json:"series"`
	// Samples is what one evaluation reads on average; 0 where the server does not say.
	Samples int `json:"samples"`
	// NothingRead means that the server says that it read no sample: what the condition asks for is not stored there, or the condition asks for nothing.
	NothingRead bool `json:"nothing_read"`
	// Step is the time between two evaluations that were looked at: the rule's interval, unless that would be more points than a server gives.
	Step time.Duration `json:"step"`
}

// Total is how long the alert fired, all series together.
func (r Result) Total() time.Duration {
	var sum time.Duration
	for _, f := range r.Firings {
		sum += f.End.Sub(f.Start)
	}
	return sum
}

// maxPoints is the most that Prometheus gives for each series.
// Source: https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries
const maxPoints = 11_000

// maxBody bounds an answer.
const maxBody = 256 << 20

// Client asks one Prometheus.
type Client struct {
	// Address is that of the server, a path in front of /api/v1 included.
	Address string
	HTTP    *http.Client
}

// Matrix is what a condition was over a time, and what it costs.
type Matrix struct {
	Value []Series
	// Samples are those that were read in all.
	Samples int
	// NothingRead means that the server counts samples, and counted none.
	NothingRead bool
	Step        time.Duration
}

// Series is where a condition held: Times in milliseconds, each with its value.
type Series struct {
	Metric model.Metric
	Times  []int64
	Values []float64
}

// UnmarshalJSON reads {"metric": {…}, "values": [[1435781430.781,"1"],…]}. A week of a hundred alerts has ten million pairs, so they are not decoded one by one.
func (s *Series) UnmarshalJSON(data []byte) error {
	var raw struct {
		Metric model.Metric    `json:"metric"`
		Values json.RawMessage `json:"values"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	s.Metric = raw.Metric
	s.Times, s.Values = make([]int64, 0, len(raw.Values)/20), make([]float64, 0, len(raw.Values)/20)
	rest := raw.Values
	for {
		at := bytes.IndexByte(rest[min(1, len(rest)):], '[')
		if at < 0 {
			return nil
		}
		rest = rest[at+2:]
		number, after, ok := bytes.Cut(rest, []byte(","))
		text, next, closed := bytes.Cut(after, []byte("]"))
		if !ok || !closed {
			return fmt.Errorf("%.40q is not a time with a value", rest)
		}
		ms, err := milliseconds(bytes.TrimSpace(number))
		if err != nil {
			return fmt.Errorf("%q is not a time: %w", number, err)
		}
		value, err := strconv.ParseFloat(string(bytes.Trim(text, "\" \t\r\n")), 64)
		if err != nil {
			return fmt.Errorf("%q is not a value: %w", text, err)
		}
		s.Times, s.Values = append(s.Times, ms), append(s.Values, value)
		rest = next
	}
}

// milliseconds reads seconds with at most three decimals, which is how Prometheus writes a time.
func milliseconds(number []byte) (int64, error) {
	whole, fraction, _ := bytes.Cut(number, []byte("."))
	seconds, err := strconv.ParseInt(string(whole), 10, 64)
	if err != nil || len(fraction) > 3 {
		f, err := strconv.ParseFloat(string(number), 64)
		return int64(math.Round(f * 1000)), err
	}
	rest := 0
	if len(fraction) > 0 {
		if rest, err = strconv.Atoi((string(fraction) + "00")[:3]); err != nil {
			return 0, err
		}
	}
	return seconds*1000 + int64(rest), nil
}

// Query evaluates a condition over a time.
func (c Client) Query(ctx context.Context, rule Rule, start, end time.Time) (Matrix, error) {
	step := max(rule.Interval, time.Second)
	if least := end.Sub(start) / (maxPoints - 1); step < least {
		step = least.Truncate(time.Second) + time.Second
	}
	form := url.Values{
		"query": {rule.Expr}, "start": {start.UTC().Format(time.RFC3339)}, "end": {end.UTC().Format(time.RFC3339)},
		"step": {strconv.FormatFloat(step.Seconds(), 'f', -1, 64)}, "stats": {"all"},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(c.Address, "/")+"/api/v1/query_range", strings.NewReader(form.Encode()))
	if err != nil {
		return Matrix{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return Matrix{}, err
	}
	defer resp.Body.Close()
	var answer struct {
		Status, Error string
		Data          struct {
			ResultType string
			Result     []Series
			Stats      struct {
				Samples struct {
					Total *int `json:"totalQueryableSamples"`
				} `json:"samples"`
			} `json:"stats"`
		}
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxBody)).Decode(&answer); err != nil {
		return Matrix{}, fmt.Errorf("%s answers %s, which is not what a Prometheus says: %w", c.Address, resp.Status, err)
	}
	switch {
	case answer.Error != "":
		return Matrix{}, errors.New(answer.Error)
	case answer.Data.ResultType != "matrix":
		return Matrix{}, fmt.Errorf("%s answers with %q instead of a matrix", c.Address, answer.Data.ResultType)
	}
	m := Matrix{Value: answer.Data.Result, Step: step}
	if total := answer.Data.Stats.Samples.Total; total != nil {
		m.Samples, m.NothingRead = *total, *total == 0
	}
	return m, nil
}

// Evaluate finds when a rule would have fired. As in Prometheus an alert is pending from the first evaluation that finds its series, fires once that is as long ago as the
// pending period, and ends at the first evaluation that does not find it, or KeepFiringFor later.
func Evaluate(m Matrix, rule Rule, start, end time.Time) Result {
	out := Result{Series: len(m.Value), Step: m.Step, NothingRead: m.NothingRead}
	if points := int(end.Sub(start)/m.Step) + 1; points > 0 {
		out.Samples = (m.Samples + points - 1) / points
	}
	for _, series := range m.Value {
		var active, firing, lost time.Time
		finish := func(at time.Time) {
			switch {
			case !firing.IsZero():
				out.Firings = append(out.Firings, Firing{series.Metric, firing, at})
			case !active.IsZero():
				out.Pending++
			}
			active, firing, lost = time.Time{}, time.Time{}, time.Time{}
		}
		next := 0
		for at := start; !at.After(end); at = at.Add(m.Step) {
			ms := at.UnixMilli()
			for next < len(series.Times) && series.Times[next] < ms {
				next++
			}
			if next < len(series.Times) && series.Times[next] == ms {
				lost = time.Time{}
				if active.IsZero() {
					active = at
				}
				if firing.IsZero() && at.Sub(active) >= rule.For {
					firing = at
				}
				continue
			}
			if active.IsZero() {
				continue
			}
			if lost.IsZero() {
				lost = at
			}
			if firing.IsZero() || at.Sub(lost) >= rule.KeepFiringFor {
				finish(at)
			}
		}
		finish(end)
	}
	slices.SortStableFunc(out.Firings, func(a, b Firing) int { return a.Start.Compare(b.Start) })
	return out
}

// Draw shows the time as so many cells: · where the alert did not fire, ░ ▒ ▓ █ by how much of the cell it did, in whatever series.
func (r Result) Draw(start, end time.Time, cells int) string {
	width := end.Sub(start) / time.Duration(cells)
	if width <= 0 {
		return ""
	}
	var b strings.Builder
	for i := range cells {
		from := start.Add(time.Duration(i) * width)
		share := covered(r.Firings, from, from.Add(width)).Seconds() / width.Seconds()
		switch {
		case share == 0:
			b.WriteRune('·')
		case share <= 0.25:
			b.WriteRune('░')
		case share <= 0.5:
			b.WriteRune('▒')
		case share < 1:
			b.WriteRune('▓')
		default:
			b.WriteRune('█')
		}
	}
	return b.String()
}

// covered is how much of a time at least one of the firings covers; they are in the order in which they began.
func covered(firings []Firing, from, to time.Time) time.Duration {
	var sum time.Duration
	at := from
	for _, f := range firings {
		start, end := f.Start, f.End
		if start.Before(at) {
			start = at
		}
		if end.After(to) {
			end = to
		}
		if end.After(start) {
			sum += end.Sub(start)
			at = end
		}
	}
	return sum
}
