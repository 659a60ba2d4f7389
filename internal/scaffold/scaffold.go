// Package scaffold writes the first version of a dashboard, an alert with its unit test, panel and runbook: complete by the rules
// that lint, check and the unit tests ask for, so that what remains is to say what is meant.
package scaffold

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"

	"lookout/internal/dashboard"
)

// Files are what is to be written, by path below the repository.
type Files map[string][]byte

// Write writes all of them or, if one exists that was not read before, none. It returns their paths, sorted.
func (f Files) Write(repo string, changed ...string) ([]string, error) {
	paths := slices.Sorted(maps.Keys(f))
	for _, path := range paths {
		if _, err := os.Stat(filepath.Join(repo, path)); err == nil && !slices.Contains(changed, path) {
			return nil, fmt.Errorf("%s exists already: choose another name, or edit it", path)
		}
	}
	for _, path := range paths {
		at := filepath.Join(repo, path)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(at, f[path], 0o644); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// A Metric is what a panel or an alert is about.
type Metric struct {
	// Name is the metric's, for example orders_created_total. Names that end in _total are counters, of which the rate per
	// second counts.
	Name string
	// Job is the scrape job.
	Job string
}

func (m Metric) check() error {
	switch {
	case !model.LegacyValidation.IsValidMetricName(m.Name):
		return fmt.Errorf("the metric is %q, which is not a valid name: write it as /metrics shows it, for example orders_created_total", m.Name)
	case m.Job == "":
		return errors.New("the job is missing: write --job with the name under which Prometheus scrapes the service")
	case strings.ContainsAny(m.Job, "\"\\\n'"):
		return fmt.Errorf("the job is %q: write the name under which Prometheus scrapes the service", m.Job)
	}
	return nil
}

func (m Metric) counter() bool { return strings.HasSuffix(m.Name, "_total") }

// unit is Grafana's name of the metric's unit.
func (m Metric) unit() string {
	switch {
	case m.counter():
		return "cps"
	case strings.HasSuffix(m.Name, "_bytes"):
		return "bytes"
	case strings.HasSuffix(m.Name, "_seconds"):
		return "s"
	case strings.HasSuffix(m.Name, "_ratio"):
		return "percentunit"
	}
	return "short"
}

// title is what a panel is called.
func (m Metric) title() string {
	words := strings.ReplaceAll(strings.TrimSuffix(m.Name, "_total"), "_", " ")
	words = strings.ToUpper(words[:1]) + words[1:]
	if m.counter() {
		words += " per second"
	}
	return words
}

var slugs = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)

// Slug is the form of a name in files and uids: "CheckoutFails" is "checkout-fails".
func Slug(name string) string {
	var b strings.Builder
	for i, r := range name {
		if 'A' <= r && r <= 'Z' {
			if i > 0 && !strings.HasSuffix(b.String(), "-") {
				b.WriteByte('-')
			}
			r += 'a' - 'A'
		}
		if r == '_' || r == ' ' || r == '/' {
			r = '-'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// A Dashboard is one to be written.
type Dashboard struct {
	// UID is its file's name, Folder its folder, Title what people see ("": made of the uid).
	UID, Folder, Title string
	Job                string
	Metrics            []string
}

// Files returns dashboards/<folder>/<uid>.json with a panel for each metric.
func (d Dashboard) Files() (Files, error) {
	doc, err := d.document()
	if err != nil {
		return nil, err
	}
	for i, name := range d.Metrics {
		doc["panels"] = append(doc["panels"].([]any), panel(Metric{name, d.Job}, i+1, i, nil))
	}
	data, err := canonical(d.path(), doc)
	return Files{d.path(): data}, err
}

func (d Dashboard) path() string { return "dashboards/" + d.Folder + "/" + d.UID + ".json" }

type object = map[string]any

func (d *Dashboard) document() (object, error) {
	if !slugs.MatchString(d.UID) {
		return nil, fmt.Errorf("the uid is %q: use at most 40 lower-case letters, digits and dashes, beginning with a letter", d.UID)
	}
	if !slugs.MatchString(d.Folder) {
		return nil, fmt.Errorf("the folder is %q: use at most 40 lower-case letters, digits and dashes, beginning with a letter", d.Folder)
	}
	if len(d.Metrics) == 0 {
		return nil, errors.New("no metric is named: write --metric with one that the service exposes, once for each panel")
	}
	for _, name := range d.Metrics {
		if err := (Metric{name, d.Job}).check(); err != nil {
			return nil, err
		}
	}
	if d.Title == "" {
		d.Title = strings.ToUpper(d.UID[:1]) + strings.ReplaceAll(d.UID[1:], "-", " ")
		if d.UID == d.Folder {
			// Grafana refuses the folder's own title.
			d.Title += " service"
		}
	}
	variable := func(name, label, description, query string, all bool) object {
		v := object{
			"datasource": ours(), "definition": query, "description": description, "hide": 0, "includeAll": all, "label": label, "multi": all, "name": name,
			"query": object{"query": query, "refId": "StandardVariableQuery"}, "refresh": 2, "regex": "", "skipUrlSync": false, "sort": 1, "type": "query",
		}
		if all {
			v["allValue"] = ".+"
		} else {
			v["current"] = object{"text": d.Job, "value": d.Job}
		}
		return v
	}
	// up has every job and instance, whatever a service exposes.
	return object{
		"annotations": object{"list": []any{object{
			"builtIn": 1, "datasource": object{"type": "grafana", "uid": "-- Grafana --"}, "enable": true, "hide": true,
			"iconColor": "rgba(0, 211, 255, 1)", "name": "Annotations & Alerts", "type": "dashboard",
		}}},
		"description":  "What " + d.Job + " does. Red lines are the thresholds of the alerts.",
		"editable":     false,
		"graphTooltip": 1,
		"links": []any{object{"asDropdown": true, "icon": "external link", "includeVars": true, "keepTime": true, "tags": []any{"lookout"}, "targetBlank": false,
			"title": "Lookout", "tooltip": "The other dashboards, with the same time range", "type": "dashboards", "url": ""}},
		"panels": []any{}, "refresh": "10s", "schemaVersion": 38, "tags": []any{d.Folder, "lookout"},
		"templating": object{"list": []any{
			object{"description": "The Prometheus that is asked", "hide": 0, "includeAll": false, "label": "Datasource", "multi": false, "name": "datasource",
				"query": "prometheus", "refresh": 1, "regex": "", "skipUrlSync": false, "type": "datasource"},
			variable("job", "Job", "Scrape job of the service", "label_values(up, job)", false),
			variable("instance", "Instance", "Instances of that job", `label_values(up{job="$job"}, instance)`, true),
		}},
		"time": object{"from": "now-30m", "to": "now"}, "timezone": "browser", "title": d.Title, "uid": d.UID,
	}, nil
}

func ours() object { return object{"type": "prometheus", "uid": "${datasource}"} }

// A line is an alert's threshold in a panel.
type line struct {
	alert string
	at    float64
	below bool
}

// panel draws a metric; place counts panels of half the width from the top left.
func panel(m Metric, id, place int, red *line) object {
	expr := fmt.Sprintf(`max by (instance) (%s{job="$job", instance=~"$instance"})`, m.Name)
	if m.counter() {
		expr = fmt.Sprintf(`sum by (instance) (rate(%s{job="$job", instance=~"$instance"}[$__rate_interval]))`, m.Name)
	}
	description := "The metric " + m.Name + " of each instance."
	if m.counter() {
		description = "How fast the counter " + m.Name + " of each instance grows."
	}
	custom := object{"drawStyle": "line", "fillOpacity": 10, "lineInterpolation": "linear", "lineWidth": 1, "pointSize": 5, "showPoints": "never",
		"spanNulls": false, "stacking": object{"group": "A", "mode": "none"}, "thresholdsStyle": object{"mode": "off"}}
	steps := []any{object{"color": "green", "value": nil}}
	if red != nil {
		custom["thresholdsStyle"] = object{"mode": "line"}
		description += " The red line is the threshold of the alert " + red.alert + "."
		steps = append(steps, object{"color": "red", "value": red.at})
		if red.below {
			steps = []any{object{"color": "red", "value": nil}, object{"color": "green", "value": red.at}}
			if m.counter() {
				expr = fmt.Sprintf(`sum by (instance) (rate(%s{job="$job", instance=~"$instance"}[$__rate_interval]))`, m.Name)
			} else {
				expr = fmt.Sprintf(`min by (instance) (%s{job="$job", instance=~"$instance"})`, m.Name)
			}
		}
	}
	return object{
		"datasource": ours(), "description": description,
		"fieldConfig": object{"defaults": object{"color": object{"mode": "palette-classic"}, "custom": custom,
			"thresholds": object{"mode": "absolute", "steps": steps}, "unit": m.unit()}, "overrides": []any{}},
		"gridPos": object{"h": 8, "w": 12, "x": 12 * (place % 2), "y": 8 * (place / 2)}, "id": id,
		"options": object{"legend": object{"calcs": []any{"lastNotNull", "max"}, "displayMode": "table", "placement": "bottom", "showLegend": true},
			"tooltip": object{"mode": "multi", "sort": "desc"}},
		"targets": []any{object{"datasource": ours(), "editorMode": "code", "expr": expr, "legendFormat": "{{instance}}", "range": true, "refId": "A"}},
		"title":   m.title(), "type": "timeseries",
	}
}

// canonical is a document as `lookout fmt` writes it.
func canonical(path string, doc object) ([]byte, error) {
	data, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	d, err := dashboard.Load(path, data)
	if err != nil {
		return nil, fmt.Errorf("the dashboard that was made cannot be read: %w", err)
	}
	return d.Canonical(), nil
}

// find returns the path of a dashboard by its uid, below the repository; "" if there is none.
func find(repo, uid string) (string, error) {
	found, err := filepath.Glob(filepath.Join(repo, "dashboards", "*", uid+".json"))
	if err != nil || len(found) == 0 {
		return "", err
	}
	rel, err := filepath.Rel(repo, found[0])
	return filepath.ToSlash(rel), err
}

// number is a number as people write it.
func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// plain is a number as promtool's series take it, without an exponent and without the dust of floating point.
func plain(v float64) string {
	return strconv.FormatFloat(math.Round(v*1e9)/1e9, 'f', -1, 64)
}

// exists reports whether a path below the repository is there.
func exists(repo, path string) bool {
	_, err := os.Stat(filepath.Join(repo, path))
	return !errors.Is(err, fs.ErrNotExist)
}
