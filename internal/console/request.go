package console

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"

	"golang.org/x/text/language"

	"lookout/internal/render"
)

// request is one request with what is known of its reader.
type request struct {
	*http.Request
	s   *Server
	w   http.ResponseWriter
	now time.Time
	// Lang is "en" or "zh-CN".
	Lang string
	// Theme is "light", "dark", or "" for what the browser prefers.
	Theme string
	Loc   *time.Location
	Nonce string
	// Embed leaves the navigation away.
	Embed bool
	// wait ends when a page has waited long enough for other servers.
	wait context.Context
}

// errorPage is an error with the page that a reader gets for it.
type errorPage struct {
	status int
	text   string
}

// Error is the sentence that the reader sees.
func (e *errorPage) Error() string { return e.text }

func problem(status int, text string) error { return &errorPage{status, text} }

var matcher = language.NewMatcher([]language.Tag{language.English, language.SimplifiedChinese})

// handle makes a handler of a page.
func (s *Server) handle(pattern string, h func(*request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		began := time.Now()
		if pattern != eventsPath {
			// A few pages at a time are made quickly; a thousand at a time would all be late.
			select {
			case s.busy <- struct{}{}:
				defer func() { <-s.busy }()
			case <-hr.Context().Done():
				return
			case <-time.After(time.Minute):
				w.Header().Set("Retry-After", "5")
				http.Error(w, "too many readers at once; try again", http.StatusServiceUnavailable)
				return
			}
		}
		wait, cancel := context.WithTimeout(hr.Context(), pageTimeout)
		defer cancel()
		rec := &recorder{ResponseWriter: w, status: http.StatusOK}
		r := &request{Request: hr, s: s, w: rec, wait: wait, now: s.now(), Lang: "en", Loc: s.cfg.Location}
		if _, i := language.MatchStrings(matcher, hr.Header.Get("Accept-Language")); i == 1 {
			r.Lang = "zh-CN"
		}
		query := hr.URL.Query()
		r.Theme = theme(query.Get("theme"))
		if c, err := hr.Cookie("lookout_theme"); err == nil && r.Theme == "" {
			r.Theme = theme(c.Value)
		}
		r.zone(query)
		rec.Header().Set("Vary", "Accept-Language, Cookie, Accept-Encoding")
		rec.Header().Set("Cache-Control", "no-store")
		var err error
		if hr.Method == http.MethodPost {
			if err = hr.ParseForm(); err != nil {
				err = problem(http.StatusBadRequest, r.t("The form cannot be read: %v", err))
			} else {
				err = r.checkToken()
			}
		}
		if err == nil {
			err = h(r)
		}
		if err != nil {
			s.fail(r, rec, err)
		}
		s.metrics.observe(pattern, rec.status, time.Since(began))
	})
}

func (s *Server) fail(r *request, rec *recorder, err error) {
	if r.Context().Err() != nil || rec.wrote {
		return // the reader has left
	}
	if errors.Is(err, context.DeadlineExceeded) && s.prom != nil {
		err = problem(http.StatusGatewayTimeout, s.silent(r, err))
	}
	page := &errorPage{http.StatusInternalServerError, err.Error()}
	if !errors.As(err, &page) {
		s.log.Warn("page failed", "path", r.URL.Path, "err", err)
	}
	_ = r.render(page.status, "error", r.t("Not possible"), page)
}

func theme(s string) string {
	if s == "light" || s == "dark" {
		return s
	}
	return ""
}

// zone is the reader's time zone: the address's, else the browser's, else the configured one.
func (r *request) zone(q url.Values) {
	name := q.Get("timezone")
	if name == "" || name == "browser" {
		name = q.Get("tz")
	}
	if c, err := r.Cookie("lookout_tz"); err == nil && (name == "" || name == "browser") {
		if v, err := url.QueryUnescape(c.Value); err == nil {
			name = v
		}
	}
	if loc := zone(name); loc != nil {
		r.Loc = loc
	}
}

var zones sync.Map

func zone(name string) *time.Location {
	switch name {
	case "", "browser", "Local":
		return nil
	case "utc":
		return time.UTC
	}
	if len(name) > 64 {
		return nil
	}
	if l, ok := zones.Load(name); ok {
		return l.(*time.Location)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil
	}
	zones.Store(name, loc) // only names that exist: a few hundred
	return loc
}

// drawTheme is what pictures are drawn in; readers without a choice of their own say what their browser prefers.
func (r *request) drawTheme() render.Theme {
	t := r.Theme
	if t == "" {
		t = theme(r.URL.Query().Get("scheme"))
	}
	if t == "dark" {
		return render.Dark
	}
	return render.Light
}

// Link is the address of a page of the console: path parts are escaped, then pairs of parameters follow; empty values are left away.
func (r *request) link(path string, params ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(params); i += 2 {
		if params[i+1] != "" {
			q.Add(params[i], params[i+1])
		}
	}
	out := r.s.base + path
	if len(q) > 0 {
		out += "?" + q.Encode()
	}
	return out
}

// user is who has logged in, "" without a login.
func (r *request) user() string {
	if r.s.cfg.WebConfigFile == "" {
		return ""
	}
	if name, _, ok := r.BasicAuth(); ok {
		return name
	}
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		return r.TLS.PeerCertificates[0].Subject.CommonName
	}
	return ""
}

func (r *request) newNonce() string {
	b := make([]byte, 12)
	if _, err := rand.Read(b); err != nil {
		return ""
	}
	r.Nonce = base64.RawURLEncoding.EncodeToString(b)
	return r.Nonce
}

// layout is what every page has.
type layout struct {
	R     *request
	Title string
	Nav   string
	// Script is the name of the page for the script.
	Kind string
	Body any
	// Badges of the navigation.
	Firing int
	Notice []notice
}

// notice is a sentence at the top of the page.
type notice struct {
	Level string // error, warning, info
	Text  string
}

// render writes a page: the template of that name inside the layout.
func (r *request) render(status int, name, title string, body any, notices ...notice) error {
	l := &layout{R: r, Title: title, Nav: name, Kind: name, Body: body, Notice: notices}
	if !r.Embed {
		l.Firing = r.s.firingNow()
	}
	var b bytes.Buffer
	if err := r.s.pages.execute(&b, r.Lang, name, l); err != nil {
		return fmt.Errorf("write page %s: %w", name, err)
	}
	r.w.Header().Set("Content-Security-Policy", policy(r.Nonce))
	return r.write(status, "text/html; charset=utf-8", b.Bytes())
}

// write sends bytes, packed if the reader can unpack them.
func (r *request) write(status int, kind string, data []byte) error {
	h := r.w.Header()
	h.Set("Content-Type", kind)
	if len(data) > 1400 && r.packs() {
		h.Set("Content-Encoding", "gzip")
		r.w.WriteHeader(status)
		z := gzips.Get().(*gzip.Writer)
		defer gzips.Put(z)
		z.Reset(r.w)
		if _, err := z.Write(data); err != nil {
			return nil // the reader has left
		}
		_ = z.Close()
		return nil
	}
	r.w.WriteHeader(status)
	_, _ = r.w.Write(data)
	return nil
}

func (r *request) packs() bool { return strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") }

var gzips = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	return z
}}

func (r *request) redirect(to string) error {
	http.Redirect(r.w, r.Request, to, http.StatusSeeOther)
	return nil
}

// recorder remembers the status for the metrics.
type recorder struct {
	http.ResponseWriter
	status int
	wrote  bool
}

// WriteHeader implements [http.ResponseWriter].
func (w *recorder) WriteHeader(status int) {
	if !w.wrote {
		w.status, w.wrote = status, true
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (w *recorder) Write(b []byte) (int, error) {
	w.wrote = true
	return w.ResponseWriter.Write(b)
}

// Unwrap lets a ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Clock writes a point in time as the reader needs it: without the date if it is today.
func (r *request) Clock(t time.Time) template.HTML {
	if t.IsZero() || t.Unix() <= 0 {
		return "—"
	}
	local := t.In(r.Loc)
	text := local.Format("01-02 15:04:05")
	if local.Format(time.DateOnly) == r.now.In(r.Loc).Format(time.DateOnly) {
		text = local.Format("15:04:05")
	}
	//lint:ignore G203 times in fixed formats
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s">%s</time>`, t.UTC().Format(time.RFC3339), local.Format("2006-01-02 15:04:05 MST"), text))
}

// Ago is how long ago something was: "3 min".
func (r *request) Ago(t time.Time) string {
	if t.IsZero() || t.Unix() <= 0 {
		return "—"
	}
	return r.Span(r.now.Sub(t))
}

// Until is how long something still takes.
func (r *request) Until(t time.Time) string { return r.Span(t.Sub(r.now)) }

// Span writes a duration in its two largest units.
func (r *request) Span(d time.Duration) string {
	if d < 0 {
		d = 0
	}
	part := func(n int64, unit string) string { return fmt.Sprintf("%d %s", n, r.t(unit)) }
	s := int64(d.Seconds())
	switch {
	case s < 60:
		return part(s, "s")
	case s < 3600:
		if s%60 == 0 || s >= 600 {
			return part(s/60, "min")
		}
		return part(s/60, "min") + " " + part(s%60, "s")
	case s < 86400:
		if s%3600 < 60 {
			return part(s/3600, "h")
		}
		return part(s/3600, "h") + " " + part(s%3600/60, "min")
	}
	if s%86400 < 3600 {
		return part(s/86400, "d")
	}
	return part(s/86400, "d") + " " + part(s%86400/3600, "h")
}

// Static is the address of a file of the console, with a version so that browsers may keep it.
func (r *request) Static(name string) string {
	return r.s.base + "/static/" + name + "?v=" + r.s.static[name].tag
}

// Base is the path before all pages.
func (r *request) Base() string { return r.s.base }

// Others are the parameters that go along with a form of the time range.
func (r *request) Others() []param { return r.params("from", "to") }

// OthersThanRefresh are the parameters that go along with a form of the refresh interval.
func (r *request) OthersThanRefresh() []param { return r.params("refresh") }

// HasRange tells whether the address names a time range.
func (r *request) HasRange() bool {
	q := r.URL.Query()
	return q.Get("from") != "" || q.Get("to") != ""
}

func (r *request) params(without ...string) []param {
	var out []param
	for name, vals := range r.keep() {
		if slices.Contains(without, name) {
			continue
		}
		for _, v := range vals {
			out = append(out, param{name, v})
		}
	}
	slices.SortStableFunc(out, func(a, b param) int { return strings.Compare(a.Name, b.Name) })
	return out
}
