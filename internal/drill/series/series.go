// Package series holds series that a drill writes and Prometheus scrapes. Each has a lease: what is not renewed is gone, so that nothing is
// left behind by a drill that was killed.
package series

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/model"
)

// Probe is the one metric that may be written where only a drill's own alerts are to fire.
const Probe = "lookout_drill"

// MetricsPath is where Prometheus scrapes the series, WritePath below which a drill writes them: PUT and DELETE <WritePath><name of the lease>.
const (
	MetricsPath = "/drill/metrics"
	WritePath   = "/drill/series/"
)

// Bounds: a scrape stays small, and what is left behind ends soon.
const (
	leastLease = time.Second
	maxLease   = 5 * time.Minute
	maxLeases  = 200
	maxSeries  = 200
)

// Series is one series: labels with __name__, and a value that may change by the second.
type Series struct {
	Labels map[string]string `json:"labels"`
	Value  float64           `json:"value"`
	// PerSecond is added to the value for each second since it was written.
	PerSecond float64 `json:"per_second,omitempty"`
}

// Write is what a drill wants to be exposed.
type Write struct {
	// Lease is a duration such as 15s. The same series written again only renew it.
	Lease  string   `json:"lease"`
	Series []Series `json:"series"`
}

type lease struct {
	series       []Series
	lines        []string
	since, until time.Time
}

// Store holds the series. Make one with [New].
type Store struct {
	only string
	now  func() time.Time

	mu     sync.Mutex
	leases map[string]*lease
}

// New makes an empty store. only, if not "", is the one metric name that may be written. now is the clock; nil means time.Now.
func New(only string, now func() time.Time) *Store {
	if now == nil {
		now = time.Now
	}
	return &Store{only: only, now: now, leases: map[string]*lease{}}
}

// Set exposes series under a name until the lease runs out. Errors say what is wrong with what was given; nothing is changed then.
func (s *Store) Set(name string, series []Series, length time.Duration) error {
	if length < leastLease || length > maxLease {
		return fmt.Errorf("lease is %s; write a duration from %v to %v", length, leastLease, maxLease)
	}
	if len(series) == 0 || len(series) > maxSeries {
		return fmt.Errorf("%d series; write 1 to %d", len(series), maxSeries)
	}
	lines := make([]string, len(series))
	for i, one := range series {
		line, err := s.line(one)
		if err != nil {
			return err
		}
		if slices.Contains(lines[:i], line) {
			return fmt.Errorf("the series %s is written twice", line)
		}
		lines[i] = line
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.expire(now)
	for other, l := range s.leases {
		for _, line := range lines {
			if other != name && slices.Contains(l.lines, line) {
				return fmt.Errorf("the series %s is written by %s already; wait until that is over", line, other)
			}
		}
	}
	l := s.leases[name]
	switch {
	case l != nil && slices.Equal(l.lines, lines) && slices.EqualFunc(l.series, series, func(a, b Series) bool { return a.Value == b.Value && a.PerSecond == b.PerSecond }):
		l.until = now.Add(length)
		return nil
	case l == nil && len(s.leases) == maxLeases:
		return fmt.Errorf("%d drills write series already; wait until one is over", maxLeases)
	}
	s.leases[name] = &lease{series: series, lines: lines, since: now, until: now.Add(length)}
	return nil
}

// line is what stands before the value.
func (s *Store) line(one Series) (string, error) {
	metric := one.Labels[model.MetricNameLabel]
	switch {
	case !model.LegacyValidation.IsValidMetricName(metric):
		return "", fmt.Errorf("__name__ is %q, which is not a valid metric name", metric)
	case s.only != "" && metric != s.only:
		return "", fmt.Errorf("%s cannot be written here, only %s: this environment exposes nothing that its own alerts look at (drill_series of modules/console)", metric, s.only)
	case math.IsNaN(one.Value) || math.IsInf(one.Value, 0) || math.IsNaN(one.PerSecond) || math.IsInf(one.PerSecond, 0):
		return "", fmt.Errorf("the value of %s is not a finite number", metric)
	}
	var labels []string
	for name, value := range one.Labels {
		if name == model.MetricNameLabel {
			continue
		}
		if !model.LegacyValidation.IsValidLabelName(name) || strings.HasPrefix(name, "__") {
			return "", fmt.Errorf("%q is not a valid label name", name)
		}
		if !model.LabelValue(value).IsValid() {
			return "", fmt.Errorf("the label %s of %s is not valid UTF-8", name, metric)
		}
		labels = append(labels, name+`="`+escaper.Replace(value)+`"`)
	}
	slices.Sort(labels)
	return metric + "{" + strings.Join(labels, ",") + "}", nil
}

// escaper writes label values in the text format: https://prometheus.io/docs/instrumenting/exposition_formats/#text-format-details
var escaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// Delete takes away what was written under a name. It may be gone already.
func (s *Store) Delete(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.leases, name)
}

func (s *Store) expire(now time.Time) {
	for name, l := range s.leases {
		if !now.Before(l.until) {
			delete(s.leases, name)
		}
	}
}

// Exposition is what a scrape gets now, in Prometheus' text format.
func (s *Store) Exposition() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.expire(now)
	var lines []string
	for _, l := range s.leases {
		for i, one := range l.series {
			value := one.Value + one.PerSecond*now.Sub(l.since).Seconds()
			lines = append(lines, l.lines[i]+" "+strconv.FormatFloat(value, 'g', -1, 64)+"\n")
		}
	}
	// Lines of one metric stand together.
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// Route adds the addresses to a mux.
func (s *Store) Route(mux *http.ServeMux) {
	mux.HandleFunc("GET "+MetricsPath, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = w.Write([]byte(s.Exposition()))
	})
	mux.HandleFunc("PUT "+WritePath+"{name}", func(w http.ResponseWriter, r *http.Request) {
		if err := s.put(r); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("DELETE "+WritePath+"{name}", func(w http.ResponseWriter, r *http.Request) {
		s.Delete(r.PathValue("name"))
		w.WriteHeader(http.StatusNoContent)
	})
}

func (s *Store) put(r *http.Request) error {
	// A page elsewhere cannot make a browser send this type without being asked about it first.
	if r.Header.Get("Content-Type") != "application/json" {
		return errors.New("send the series as application/json")
	}
	var in Write
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return fmt.Errorf("the body is not valid: %w", err)
	}
	length, err := time.ParseDuration(in.Lease)
	if err != nil {
		return fmt.Errorf("lease is %q; write a duration such as 15s", in.Lease)
	}
	return s.Set(r.PathValue("name"), in.Series, length)
}
