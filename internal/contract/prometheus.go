package contract

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// ReadURL adds what a live /metrics answers.
func (inv *Inventory) ReadURL(ctx context.Context, client *http.Client, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("%q is no address of metrics: %w", address, err)
	}
	req.Header.Set("Accept", "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5")
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("ask for metrics: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("ask %s for metrics: %s", redact(address), resp.Status)
	}
	return inv.ReadExposition(redact(address), resp.Header.Get("Content-Type"), resp.Body)
}

// redact takes a password out of an address before it is printed.
func redact(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Redacted()
}

// seriesLimit bounds what one request for series may answer.
const seriesLimit = 10_000

// ReadPrometheus adds what a Prometheus has seen since the given time. names are those whose labels are of interest: all series of a large server would be too many. Names and
// types are read of all. Its target labels are real labels, so none are assumed.
func (inv *Inventory) ReadPrometheus(ctx context.Context, client *http.Client, address string, since, now time.Time, names []string) error {
	c, err := api.NewClient(api.Config{Address: address, Client: client})
	if err != nil {
		return fmt.Errorf("%q is no address of a Prometheus: %w", address, err)
	}
	prom := v1.NewAPI(c)
	// A server without metadata (Thanos, some gateways) is still worth asking.
	metadata, metaErr := prom.Metadata(ctx, "", "")
	types := map[string]model.MetricType{}
	for family, list := range metadata {
		for i, m := range list {
			types[family] = model.MetricType(m.Type)
			if i > 0 && list[i-1].Type != m.Type {
				types[family] = model.MetricTypeUnknown // two targets disagree
				break
			}
		}
	}
	values, _, _, err := prom.LabelValues(ctx, model.MetricNameLabel, nil, since, now)
	if err != nil {
		if metaErr != nil {
			err = metaErr
		}
		return fmt.Errorf("ask the Prometheus at %s for its metrics: %w", redact(address), err)
	}
	inv.TargetLabels = map[string]bool{}
	known := make(map[string]bool, len(values))
	for _, v := range values {
		known[string(v)] = true
	}
	typeOf := func(name string) (string, model.MetricType) {
		family, typ := familyOf(name, types)
		if typ == model.MetricTypeCounter && family == name && known[name+"_total"] {
			// In OpenMetrics the counter x_total is of the family x. So that is the type of x_total, and the one of the series x got lost.
			typ = model.MetricTypeUnknown
		}
		return family, typ
	}
	for _, v := range values {
		family, typ := typeOf(string(v))
		inv.metric(string(v), family, typ)
	}
	if rules, err := prom.Rules(ctx, nil); err == nil {
		for _, g := range rules.Groups {
			for _, r := range g.Rules {
				if rec, ok := r.(v1.RecordingRule); ok {
					inv.AddRecorded(rec.Name)
				}
			}
		}
	}
	names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return inv.Metrics[n] == nil })
	for batch := range slices.Chunk(names, 20) {
		var match []string
		for _, n := range batch {
			match = append(match, "{"+model.MetricNameLabel+"="+strconv.Quote(n)+"}")
		}
		series, _, _, err := prom.Series(ctx, match, since, now, v1.WithLimit(seriesLimit))
		if err != nil {
			return fmt.Errorf("ask the Prometheus at %s for the series of %s: %w", redact(address), strings.Join(batch, ", "), err)
		}
		for _, s := range series {
			b := labels.NewScratchBuilder(len(s))
			for k, v := range s {
				b.Add(string(k), string(v))
			}
			b.Sort()
			name := string(s[model.MetricNameLabel])
			family, typ := typeOf(name)
			inv.add(name, family, typ, b.Labels())
		}
		if len(series) >= seriesLimit {
			// What was cut off may hold labels that were not seen.
			for _, n := range batch {
				inv.Metrics[n].LabelsKnown = false
			}
		}
	}
	return nil
}
