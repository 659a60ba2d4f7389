// Package notification reads what Grafana's and Alertmanager's webhook contact points post: the
// webhook JSON of version 4, which both speak, with Grafana's additional fields.
//
// The format is described at
// https://prometheus.io/docs/alerting/latest/configuration/#webhook_config and in Grafana's manual
// under "webhook notifier".
package notification

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"math"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The two states an alert can have in a notification.
const (
	Firing   = "firing"
	Resolved = "resolved"
)

// maxAlerts bounds the alerts of one notification. Senders group by label, so that a real one
// holds dozens; the bound keeps a hostile body of a few megabytes from becoming gigabytes of maps.
const maxAlerts = 10_000

// Notification is one call of a webhook: a group of alerts that a sender tells at once.
type Notification struct {
	Version           string            `json:"version,omitempty"`
	Receiver          string            `json:"receiver,omitempty"`
	Status            string            `json:"status,omitempty"`
	GroupKey          string            `json:"groupKey,omitempty"`
	GroupLabels       map[string]string `json:"groupLabels,omitempty"`
	CommonLabels      map[string]string `json:"commonLabels,omitempty"`
	CommonAnnotations map[string]string `json:"commonAnnotations,omitempty"`
	ExternalURL       string            `json:"externalURL,omitempty"`
	// TruncatedAlerts is how many alerts the sender itself left out (its max_alerts).
	TruncatedAlerts int     `json:"truncatedAlerts,omitempty"`
	Alerts          []Alert `json:"alerts"`
	// Unreadable is how many alerts were left out because they could not be read, Mistake what is wrong with
	// the first of them.
	Unreadable int    `json:"-"`
	Mistake    string `json:"-"`
}

// Alert is one alert of a notification.
type Alert struct {
	Status       string            `json:"status"`
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
	Fingerprint  string            `json:"fingerprint,omitempty"`
	// Origin is the external address of the sender: two Grafanas may have alerts of the same labels.
	Origin string `json:"origin,omitempty"`
	// SilenceURL is Grafana's own; for an Alertmanager's alert Parse makes it of the external address.
	SilenceURL string `json:"silenceURL,omitempty"`
	// What follows is sent by Grafana only.
	DashboardURL string             `json:"dashboardURL,omitempty"`
	PanelURL     string             `json:"panelURL,omitempty"`
	Values       map[string]float64 `json:"values,omitempty"`
	ValueString  string             `json:"valueString,omitempty"`
}

// wire is the tolerant form of what arrives: senders of several versions write null for what they
// don't have, and a field that the relay doesn't need must not cost an alert.
type wire struct {
	Notification
	Alerts wireAlerts `json:"alerts"`
	// Grafana sends a number, some gateways a string.
	TruncatedAlerts json.RawMessage `json:"truncatedAlerts"`
	// Of Grafana's alerting before version 9.
	EvalMatches json.RawMessage `json:"evalMatches"`
	RuleName    string          `json:"ruleName"`
}

// wireAlerts is the list of alerts. They are read one by one, so that a large body costs no more than what is
// kept of it.
type wireAlerts struct {
	list  []halfRead
	count int
}

// halfRead is an alert before it is known what the whole notification says.
type halfRead struct {
	Alert
	mistake string
}

// UnmarshalJSON reads the list.
func (w *wireAlerts) UnmarshalJSON(raw []byte) error {
	if string(raw) == "null" {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('[') {
		kind := "value"
		if t == json.Delim('{') {
			kind = "object"
		}
		return &json.UnmarshalTypeError{Value: kind, Type: reflect.TypeFor[[]Alert](), Field: "alerts"}
	}
	for dec.More() {
		w.count++
		var a wireAlert
		// A field of another type is left out; what is not an object has no labels.
		err := dec.Decode(&a)
		var kind *json.UnmarshalTypeError
		if err != nil && !errors.As(err, &kind) {
			return err
		}
		if w.count > maxAlerts {
			continue
		}
		out := halfRead{Alert: a.Alert}
		out.Labels, out.Annotations = texts(a.Labels), texts(a.Annotations)
		if len(out.Labels) == 0 {
			out.mistake = "has no labels"
		}
		out.StartsAt, out.EndsAt = instant(a.StartsAt), instant(a.EndsAt)
		out.Values = numbers(a.Values)
		w.list = append(w.list, out)
	}
	return nil
}

type wireAlert struct {
	Alert
	Labels      map[string]any  `json:"labels"`
	Annotations map[string]any  `json:"annotations"`
	StartsAt    string          `json:"startsAt"`
	EndsAt      string          `json:"endsAt"`
	Values      json.RawMessage `json:"values"`
}

// Parse reads one webhook body. Unknown fields are passed over; what the relay needs to tell an
// alert (a list of alerts, each with at least one label and a known status) must be there. The
// error says what is missing and never quotes the body.
func Parse(body []byte) (Notification, error) {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(body) {
		return Notification{}, errors.New("the body is not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	var w wire
	err := dec.Decode(&w)
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &kind) && kind.Value == "array" && kind.Field == "":
		return Notification{}, errors.New("the body is a list, as Prometheus sends it to an Alertmanager: " +
			"point Prometheus at an Alertmanager, and that Alertmanager's webhook_config at the relay")
	case errors.As(err, &kind) && kind.Field != "" && w.Alerts.count > 0:
		// A field of another type is left out, and all others are there: it must not cost an alert.
	case err != nil:
		return Notification{}, describe(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return Notification{}, errors.New("the body holds more than one JSON value")
	}
	if w.Alerts.count == 0 {
		if w.EvalMatches != nil || w.RuleName != "" {
			return Notification{}, errors.New("this is the webhook of Grafana's alerting before version 9: " +
				"the relay takes that of unified alerting (Grafana 9 and later) and of Alertmanager")
		}
		return Notification{}, errors.New(`"alerts" is missing or empty: this is not the webhook JSON of Alertmanager or Grafana`)
	}
	if w.Alerts.count > maxAlerts {
		return Notification{}, fmt.Errorf("%d alerts in one notification, at most %d are taken: group them by a label", w.Alerts.count, maxAlerts)
	}
	n := w.Notification
	_ = json.Unmarshal(w.TruncatedAlerts, &n.TruncatedAlerts)
	n.TruncatedAlerts = max(n.TruncatedAlerts, 0)
	n.Alerts = make([]Alert, 0, len(w.Alerts.list))
	for i, a := range w.Alerts.list {
		out, mistake := a.read(n)
		if mistake != "" {
			if n.Unreadable++; n.Unreadable == 1 {
				n.Mistake = fmt.Sprintf("alerts[%d] %s", i, mistake)
			}
			continue
		}
		n.Alerts = append(n.Alerts, out)
	}
	if len(n.Alerts) == 0 {
		return Notification{}, errors.New(n.Mistake)
	}
	n.Status = Resolved
	for _, a := range n.Alerts {
		if a.Status == Firing {
			n.Status = Firing
		}
	}
	return n, nil
}

// read completes an alert by what the whole notification says, or says what is wrong with it.
func (a halfRead) read(n Notification) (out Alert, mistake string) {
	out = a.Alert
	if a.mistake != "" {
		return out, a.mistake
	}
	switch strings.ToLower(cmp.Or(out.Status, n.Status)) {
	case Firing, "alerting":
		out.Status = Firing
	case Resolved, "ok":
		out.Status = Resolved
	default:
		return out, "has neither status firing nor resolved"
	}
	out.Origin = cmp.Or(out.Origin, n.ExternalURL)
	if n.Version == "4" {
		// Grafana says "1" and sends its own.
		out.SilenceURL = cmp.Or(out.SilenceURL, silenceURL(n.ExternalURL, out.Labels))
	}
	return out, ""
}

// describe turns the JSON decoder's error into one that names place and remedy without quoting
// the body, which may hold what the sender would not want in a log.
func describe(err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the body is empty or ends in the middle of the JSON")
	case errors.As(err, &syntax) && syntax.Offset <= 1:
		return errors.New("the body is not JSON: post it as it is, not as a form")
	case errors.As(err, &syntax):
		return fmt.Errorf("the body is not JSON: mistake at byte %d", syntax.Offset)
	case errors.As(err, &kind):
		return fmt.Errorf("%q is a JSON %s where %s is wanted", kind.Field, kind.Value, kind.Type)
	}
	return errors.New("the body is not the webhook JSON of Alertmanager or Grafana")
}

// texts turns label values of any JSON type into strings, since gateways write numbers.
func texts(in map[string]any) map[string]string {
	if len(in) == 0 {
		return nil
	}
	out := make(map[string]string, len(in))
	for k, v := range in {
		switch v := v.(type) {
		case string:
			out[k] = v
		case nil:
		default:
			b, _ := json.Marshal(v)
			out[k] = string(b)
		}
	}
	return out
}

// maxSilenceURL is the longest address that chats and browsers can be trusted with.
const maxSilenceURL = 1500

// silenceURL is the form for a new silence of one alert below an Alertmanager's external address: that
// of Lookout's console, filled in by its matchers. An alert with more labels than an address can
// hold is matched by its name, job and instance.
func silenceURL(external string, labels map[string]string) string {
	if external == "" {
		return ""
	}
	address := func(names []string) string {
		var q []string
		for _, name := range names {
			if v, ok := labels[name]; ok {
				q = append(q, "matcher="+url.QueryEscape(name+"="+strconv.Quote(v)))
			}
		}
		return strings.TrimRight(external, "/") + "/silences/new?" + strings.Join(q, "&")
	}
	s := address(slices.Sorted(maps.Keys(labels)))
	if len(s) > maxSilenceURL {
		s = address([]string{"alertname", "instance", "job"})
	}
	return s
}

// numbers reads the values that are numbers, written as such or as text. What is none is left out: it is
// not 0.
func numbers(raw json.RawMessage) map[string]float64 {
	var members map[string]any
	if json.Unmarshal(raw, &members) != nil {
		return nil
	}
	out := map[string]float64{}
	for name, v := range members {
		f, ok := v.(float64)
		if s, isText := v.(string); isText {
			parsed, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
			f, ok = parsed, err == nil
		}
		if ok && !math.IsNaN(f) && !math.IsInf(f, 0) {
			out[name] = f
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// instant reads a time; what isn't one is no time, because an alert must not be lost to it.
func instant(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		// Without a zone it is taken for UTC.
		t, err = time.Parse("2006-01-02T15:04:05.999999999", s)
	}
	if err != nil || t.Year() < 1971 || t.Year() > 9000 {
		return time.Time{}
	}
	return t
}

// Hash is Key as a number.
func (a Alert) Hash() uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, a.Key())
	return h.Sum64()
}

// Key tells one alert from another across notifications: the same labels and fingerprint from the same
// sender are the same alert.
func (a Alert) Key() string {
	h := sha256.New()
	io.WriteString(h, a.Origin)
	h.Write([]byte{0})
	io.WriteString(h, a.Fingerprint)
	h.Write([]byte{0})
	for _, k := range slices.Sorted(maps.Keys(a.Labels)) {
		io.WriteString(h, k)
		h.Write([]byte{0})
		io.WriteString(h, a.Labels[k])
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// Name is what the alert is called. Grafana renames alerts without data or with a failing query to
// DatasourceNoData and DatasourceError and keeps the rule's name in "rulename".
func (a Alert) Name() string {
	return cmp.Or(a.Labels["rulename"], a.Labels["alertname"], "alert")
}

// Severity is the alert's severity label in lower case, "none" without one.
func (a Alert) Severity() string {
	return cmp.Or(strings.ToLower(strings.TrimSpace(a.Labels["severity"])), "none")
}

// Rank orders severities, the most severe first: 0 critical … 4 none.
func Rank(severity string) int {
	switch severity {
	case "critical", "page", "fatal", "emergency", "disaster", "p0", "p1":
		return 0
	case "error", "major", "high", "p2":
		return 1
	case "warning", "warn", "minor", "p3":
		return 2
	case "info", "notice", "low", "p4":
		return 3
	}
	return 4
}

// Severity is the most severe one among the alerts, firing ones before resolved ones.
func (n Notification) Severity() string {
	best, rank := "none", 1<<10
	for _, a := range n.Alerts {
		r := Rank(a.Severity())
		if a.Status != Firing {
			r += 100
		}
		if r < rank {
			best, rank = a.Severity(), r
		}
	}
	return best
}

// Count returns how many alerts have the status.
func (n Notification) Count(status string) int {
	count := 0
	for _, a := range n.Alerts {
		if a.Status == status {
			count++
		}
	}
	return count
}

// Matches tells whether labels hold every pair of want.
func Matches(labels, want map[string]string) bool {
	for k, v := range want {
		if labels[k] != v {
			return false
		}
	}
	return true
}

// Only returns the notification with the alerts that keep accepts.
func (n Notification) Only(keep func(Alert) bool) Notification {
	out := n
	out.Alerts = nil
	for _, a := range n.Alerts {
		if keep(a) {
			out.Alerts = append(out.Alerts, a)
		}
	}
	out.Status = Resolved
	if out.Count(Firing) > 0 {
		out.Status = Firing
	}
	return out
}
