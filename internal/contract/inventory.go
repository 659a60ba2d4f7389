// Package contract holds what dashboards and alert rules ask for against what exporters expose: metrics, labels, values and types.
package contract

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
)

// Metric is one name that series can have: of a histogram there are three or four.
type Metric struct {
	Name string
	// Type is that of the family: counter, gauge, histogram, summary or unknown.
	Type model.MetricType
	// Family is the name in the # TYPE line.
	Family string
	// LabelsKnown is false if the series have not been seen (a recording rule, a family without samples): then nothing can be said about labels.
	LabelsKnown bool
	// Labels are the values seen of each label.
	Labels map[string]map[string]bool
	// Series are the label sets seen, as far as they are kept.
	Series []labels.Labels
	// Recorded means that a rule computes it.
	Recorded bool
}

// maxSeries is how many label sets of a metric are kept to see which values go together; each value is known beyond that.
const maxSeries = 2000

// Inventory is what is there to be queried.
type Inventory struct {
	// Source is what a person calls it: a file, an address.
	Source  string
	Metrics map[string]*Metric
	// TargetLabels are put on by the scrape, not by the exporter: an exposition does not show them.
	TargetLabels map[string]bool

	names []string
}

// synthetic are the series that Prometheus itself adds to every target, and its alerts.
// Source: https://prometheus.io/docs/concepts/jobs_instances/
var synthetic = []string{"up", "scrape_duration_seconds", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling", "scrape_series_added",
	"scrape_timeout_seconds", "scrape_sample_limit", "scrape_body_size_bytes", "ALERTS", "ALERTS_FOR_STATE"}

// NewInventory is an empty inventory. targetLabels are those that the scrape puts on besides job and instance; nil of exposed says that
// the inventory was read from a Prometheus, which shows them all.
func NewInventory(source string, targetLabels ...string) *Inventory {
	inv := &Inventory{Source: source, Metrics: map[string]*Metric{}, TargetLabels: map[string]bool{"job": true, "instance": true}}
	for _, l := range targetLabels {
		inv.TargetLabels[l] = true
	}
	for _, name := range synthetic {
		inv.Metrics[name] = &Metric{Name: name, Type: model.MetricTypeGauge, Family: name}
	}
	return inv
}

// Names are all names, sorted.
func (inv *Inventory) Names() []string {
	if len(inv.names) != len(inv.Metrics) {
		inv.names = slices.Sorted(maps.Keys(inv.Metrics))
	}
	return inv.names
}

func (inv *Inventory) metric(name, family string, typ model.MetricType) *Metric {
	m := inv.Metrics[name]
	if m == nil {
		m = &Metric{Name: name, Family: family, Type: typ, Labels: map[string]map[string]bool{}}
		inv.Metrics[name] = m
	}
	if m.Type == "" || m.Type == model.MetricTypeUnknown {
		m.Type, m.Family = typ, family
	}
	if m.Labels == nil {
		m.Labels = map[string]map[string]bool{}
	}
	return m
}

// add notes a series.
func (inv *Inventory) add(name, family string, typ model.MetricType, ls labels.Labels) {
	m := inv.metric(name, family, typ)
	m.LabelsKnown = true
	ls.Range(func(l labels.Label) {
		if l.Name == model.MetricNameLabel {
			return
		}
		values := m.Labels[l.Name]
		if values == nil {
			values = map[string]bool{}
			m.Labels[l.Name] = values
		}
		if len(values) < maxSeries {
			values[strings.Clone(l.Value)] = true
		}
	})
	if len(m.Series) < maxSeries {
		m.Series = append(m.Series, ls.Copy())
	}
}

// AddRecorded notes the result of a recording rule. Nothing is known about its labels.
func (inv *Inventory) AddRecorded(name string) {
	if inv.Metrics[name] == nil {
		inv.Metrics[name] = &Metric{Name: name, Family: name, Type: model.MetricTypeUnknown, Recorded: true}
	}
}

// jsonStart is how a JSON object begins.
var jsonStart = regexp.MustCompile(`^\{\s*("(?:[^"\\\\]|\\\\.)*"\s*:|\})`)

// maxExposition is how much of an exposition is read; the largest exporters answer with some ten megabytes.
const maxExposition = 256 << 20

// ReadExposition adds what an exporter exposes, in Prometheus' text format or OpenMetrics. contentType may be empty: then the text tells.
func (inv *Inventory) ReadExposition(name, contentType string, r io.Reader) error {
	data, err := io.ReadAll(io.LimitReader(r, maxExposition))
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	data = bytes.ReplaceAll(bytes.TrimPrefix(data, []byte("\ufeff")), []byte("\r\n"), []byte("\n"))
	if len(bytes.TrimSpace(data)) == 0 {
		return fmt.Errorf("%s: there is no metric in it", name)
	}
	// A line may begin with { since names may have any characters: {"a.b", c="d"} 1. JSON has a colon after its first text.
	if first := bytes.TrimSpace(data)[0]; first == '<' || first == '{' && jsonStart.Match(bytes.TrimSpace(data)) {
		return fmt.Errorf("%s: this is a page, not metrics; name the /metrics address itself", name)
	}
	if !strings.Contains(contentType, "openmetrics") {
		contentType = "text/plain; version=0.0.4"
		if bytes.HasSuffix(bytes.TrimRight(data, "\n"), []byte("# EOF")) {
			contentType = "application/openmetrics-text; version=1.0.0"
		}
	}
	if data[len(data)-1] != '\n' {
		data = append(data, '\n')
	}
	openMetrics := strings.Contains(contentType, "openmetrics")
	p, err := textparse.New(data, contentType, nil, textparse.ParserOptions{FallbackContentType: "text/plain"})
	if p == nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	types := map[string]model.MetricType{}
	family, typ, samples := "", model.MetricTypeUnknown, 0
	empty := func() {
		if family != "" && samples == 0 {
			inv.addEmpty(family, typ, openMetrics)
		}
	}
	seen := 0
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("%s: no exposition of metrics after %d samples: %w", name, seen, err)
		}
		switch entry {
		case textparse.EntryType:
			empty()
			n, t := p.Type()
			family, typ, samples = string(n), t, 0
			types[family] = t
		case textparse.EntrySeries, textparse.EntryHistogram:
			var ls labels.Labels
			p.Labels(&ls)
			metric := ls.Get(model.MetricNameLabel)
			fam, t := familyOf(metric, types)
			if fam == family {
				samples++
			}
			seen++
			inv.add(metric, fam, t, ls)
		}
	}
	empty()
	if seen == 0 {
		return fmt.Errorf("%s: there is no metric in it", name)
	}
	return nil
}

// addEmpty notes a family that is declared but has no samples yet.
func (inv *Inventory) addEmpty(family string, typ model.MetricType, openMetrics bool) {
	names := []string{family}
	switch typ {
	case model.MetricTypeHistogram:
		names = []string{family, family + "_bucket", family + "_sum", family + "_count"}
	case model.MetricTypeSummary:
		names = []string{family, family + "_sum", family + "_count"}
	case model.MetricTypeCounter:
		if openMetrics {
			names = []string{family + "_total"}
		}
	}
	for _, n := range names {
		inv.metric(n, family, typ)
	}
}

// familyOf finds the # TYPE that a sample belongs to.
func familyOf(name string, types map[string]model.MetricType) (string, model.MetricType) {
	if t, ok := types[name]; ok {
		return name, t
	}
	for _, suffix := range []string{"_bucket", "_sum", "_count", "_total", "_created", "_info"} {
		base, ok := strings.CutSuffix(name, suffix)
		if !ok {
			continue
		}
		t, ok := types[base]
		if !ok {
			continue
		}
		if suffix == "_created" {
			return base, model.MetricTypeGauge
		}
		return base, t
	}
	return name, model.MetricTypeUnknown
}

// Dropped are the names that were there before and are no more, sorted.
func (inv *Inventory) Dropped(before *Inventory) []string {
	var out []string
	for _, name := range before.Names() {
		if inv.Metrics[name] == nil {
			out = append(out, name)
		}
	}
	return out
}
