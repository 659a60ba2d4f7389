// Package web is what the relay answers over HTTP: the webhooks, health, dead letters and a page to
// try templates on.
package web

import (
	"context"
	"crypto/subtle"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"

	"lookout/app/relay/internal/delivery"
	"lookout/app/relay/internal/message"
	"lookout/app/relay/internal/notification"
	"lookout/app/relay/internal/spool"
)

//go:embed page.html
var pages embed.FS

// maxAtOnce bounds how many notifications are read at the same time, and so their memory.
const maxAtOnce = 128

// Options of New.
type Options struct {
	Engine  *delivery.Engine
	Log     *slog.Logger
	Metrics http.Handler
	// MaxBody is the largest notification that is taken, in bytes.
	MaxBody int64
}

// Server answers HTTP.
type Server struct {
	e       *delivery.Engine
	log     *slog.Logger
	maxBody int64
	slots   chan struct{}
	page    *template.Template
	mux     http.Handler
	// Stopping makes /-/ready say no while requests under way are still answered.
	Stopping atomic.Bool
}

// New makes the handler.
func New(o Options) (*Server, error) {
	page, err := template.ParseFS(pages, "page.html")
	if err != nil {
		return nil, err
	}
	s := &Server{e: o.Engine, log: o.Log, maxBody: o.MaxBody, slots: make(chan struct{}, maxAtOnce), page: page}
	open := http.NewServeMux()
	open.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") })
	open.HandleFunc("GET /-/ready", s.ready)
	open.Handle("GET /metrics", o.Metrics)
	guarded := http.NewServeMux()
	guarded.HandleFunc("POST /v1/robots/{robot}", func(w http.ResponseWriter, r *http.Request) { s.accept(w, r, r.PathValue("robot")) })
	guarded.HandleFunc("POST /v1/notify", func(w http.ResponseWriter, r *http.Request) { s.accept(w, r, "") })
	guarded.HandleFunc("POST /v1/heartbeats/{name}", s.heartbeat)
	guarded.HandleFunc("GET /api/status", s.status)
	guarded.HandleFunc("GET /api/dead", s.deadList)
	guarded.HandleFunc("POST /api/dead/{id}/resend", s.deadResend)
	guarded.HandleFunc("DELETE /api/dead/{id}", s.deadDrop)
	guarded.HandleFunc("GET /{$}", s.render)
	guarded.HandleFunc("POST /{$}", s.render)
	guarded.HandleFunc("GET /render", s.render)
	guarded.HandleFunc("POST /render", s.render)
	// A page elsewhere must not be able to re-send dead letters through somebody's browser.
	open.Handle("/", s.authorised(http.NewCrossOriginProtection().Handler(guarded)))
	s.mux = open
	return s, nil
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'")
	s.mux.ServeHTTP(w, r)
}

// authorised asks for the bearer token if one is configured. Browsers, which can't send one, may
// give it as the password of any user.
func (s *Server) authorised(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		want := s.e.Config().BearerToken
		if want == "" {
			next.ServeHTTP(w, r)
			return
		}
		scheme, got, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") {
			_, got, _ = r.BasicAuth()
		}
		if subtle.ConstantTimeCompare([]byte(got), []byte(want)) != 1 {
			s.e.Metrics.Rejected.WithLabelValues("unauthorised").Inc()
			w.Header().Set("WWW-Authenticate", `Basic realm="relay"`)
			s.fail(w, r, http.StatusUnauthorized, errors.New("the bearer token is missing or wrong"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) fail(w http.ResponseWriter, r *http.Request, status int, err error) {
	s.log.Warn("not taken", "path", r.URL.Path, "status", status, "error", s.e.Config().Redact(err.Error()))
	s.json(w, status, map[string]string{"error": s.e.Config().Redact(err.Error())})
}

func (s *Server) json(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	// The client may be gone; there is nobody to tell.
	_ = json.NewEncoder(w).Encode(v)
}

func (s *Server) accept(w http.ResponseWriter, r *http.Request, target string) {
	began := time.Now()
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-r.Context().Done():
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.maxBody))
	if err != nil {
		var tooBig *http.MaxBytesError
		if errors.As(err, &tooBig) {
			s.reject(w, r, http.StatusRequestEntityTooLarge, "too_large", fmt.Errorf("the body has more than %d bytes: group alerts, or raise --max-body", s.maxBody))
			return
		}
		s.reject(w, r, http.StatusBadRequest, "cut_off", errors.New("the body did not arrive whole"))
		return
	}
	n, err := notification.Parse(body)
	if err != nil {
		s.reject(w, r, http.StatusBadRequest, "malformed", err)
		return
	}
	accepted, err := s.e.Accept(context.WithoutCancel(r.Context()), target, body, n)
	switch {
	case err == nil:
		s.e.Metrics.AcceptTime.Observe(time.Since(began).Seconds())
		s.json(w, http.StatusAccepted, map[string]any{"accepted": accepted})
	case errors.Is(err, delivery.ErrNoTarget):
		s.reject(w, r, http.StatusNotFound, "no_target", err)
	case errors.Is(err, spool.ErrFull):
		// The sender keeps it and tries again, which is the most that can be done here.
		s.reject(w, r, http.StatusInsufficientStorage, "full", err)
	case errors.Is(err, spool.ErrClosed):
		s.reject(w, r, http.StatusServiceUnavailable, "stopping", err)
	default:
		s.reject(w, r, http.StatusServiceUnavailable, "store", err)
	}
}

func (s *Server) reject(w http.ResponseWriter, r *http.Request, status int, reason string, err error) {
	s.e.Metrics.Rejected.WithLabelValues(reason).Inc()
	s.fail(w, r, status, err)
}

// heartbeat is an address of its own for a watchdog's contact point; what isn't a sign of life goes
// to the heartbeat's target.
func (s *Server) heartbeat(w http.ResponseWriter, r *http.Request) {
	h := s.e.Config().Heartbeats[r.PathValue("name")]
	if h == nil {
		s.reject(w, r, http.StatusNotFound, "no_target", fmt.Errorf("no heartbeat %q is configured", r.PathValue("name")))
		return
	}
	s.accept(w, r, h.Target)
}

// ready tells whether the next notification would be taken, by writing to the spool. That robots
// refuse is told as well, but does not make it unready: a sender that stays away loses alerts.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
	defer cancel()
	if s.Stopping.Load() {
		http.Error(w, "not ready: stopping", http.StatusServiceUnavailable)
		return
	}
	if err := s.e.Probe(ctx); err != nil {
		http.Error(w, "not ready: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
	st, err := s.e.Status()
	if err != nil {
		fmt.Fprintln(w, "but its state cannot be read:", err)
		return
	}
	for _, t := range st.Targets {
		if t.Oldest > time.Minute {
			fmt.Fprintf(w, "target %s: %d waiting, the oldest for %s\n", t.Name, t.Queue+int64(t.Outbox), t.Oldest.Round(time.Second))
		}
	}
	if st.Dead > 0 {
		fmt.Fprintf(w, "%d dead letters\n", st.Dead)
	}
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	st, err := s.e.Status()
	if err != nil {
		s.fail(w, r, http.StatusInternalServerError, err)
		return
	}
	s.json(w, http.StatusOK, st)
}

// DeadLetter is a dead letter in a list.
type DeadLetter struct {
	ID       uint64             `json:"id"`
	Target   string             `json:"target"`
	Title    string             `json:"title"`
	Alerts   int                `json:"alerts"`
	Accepted time.Time          `json:"accepted"`
	Died     time.Time          `json:"died"`
	Reason   string             `json:"reason"`
	Failures []delivery.Failure `json:"failures,omitempty"`
}

// deadPage is how many dead letters one answer lists at most.
const deadPage = 200

func (s *Server) deadList(w http.ResponseWriter, r *http.Request) {
	after, err := uint64(0), error(nil)
	if v := r.URL.Query().Get("after"); v != "" {
		if after, err = strconv.ParseUint(v, 10, 64); err != nil {
			s.fail(w, r, http.StatusBadRequest, fmt.Errorf("after=%q is not a dead letter's number", v))
			return
		}
	}
	dead, err := s.e.Dead(after, deadPage)
	if err != nil {
		s.fail(w, r, http.StatusInternalServerError, err)
		return
	}
	out := []DeadLetter{}
	for _, d := range dead {
		out = append(out, DeadLetter{ID: d.ID, Target: d.Target, Title: d.Title(), Alerts: d.Alerts(), Accepted: d.Wall, Died: d.Died, Reason: d.Reason, Failures: d.Failures})
	}
	answer := map[string]any{"dead": out}
	if len(out) == deadPage {
		// There may be more: ask again with after=next.
		answer["next"] = out[len(out)-1].ID
	}
	s.json(w, http.StatusOK, answer)
}

func (s *Server) deadResend(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err == nil {
		err = s.e.Resend(r.Context(), id, r.URL.Query().Get("target"))
	}
	if err != nil {
		s.fail(w, r, http.StatusNotFound, err)
		return
	}
	s.log.Info("dead letter re-sent", "message", id)
	s.json(w, http.StatusAccepted, map[string]any{"resent": id})
}

func (s *Server) deadDrop(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err == nil {
		err = s.e.Drop(r.Context(), id)
	}
	if err != nil {
		s.fail(w, r, http.StatusNotFound, err)
		return
	}
	s.log.Info("dead letter dropped", "message", id)
	s.json(w, http.StatusOK, map[string]any{"dropped": id})
}

type pageView struct {
	Targets, Samples, Types        []string
	Target, Sample, Type, Captured string
	Digest                         bool
	Title, Text                    string
	HTML                           template.HTML
	Bytes, Limit                   int
	Error                          string
	Status                         delivery.Status
}

// render shows what a notification would look like in the chat.
func (s *Server) render(w http.ResponseWriter, r *http.Request) {
	c := s.e.Config()
	r.Body = http.MaxBytesReader(w, r.Body, s.maxBody)
	v := pageView{Types: []string{"markdown", "actionCard", "text", "link"}, Sample: "firing", Type: "markdown", Limit: 20000}
	samples := message.Samples(time.Now())
	for name := range samples {
		v.Samples = append(v.Samples, name)
	}
	for name := range c.Targets {
		v.Targets = append(v.Targets, name)
	}
	slices.Sort(v.Samples)
	slices.Sort(v.Targets)
	v.Target = v.Targets[0]
	if x := r.FormValue("sample"); x != "" {
		v.Sample = x
	}
	if x := r.FormValue("type"); slices.Contains(v.Types, x) {
		v.Type = x
	}
	if x := r.FormValue("target"); c.Targets[x] != nil {
		v.Target = x
	}
	v.Digest = r.FormValue("digest") != ""
	v.Captured = r.FormValue("captured")
	n, ok := samples[v.Sample]
	var err error
	if strings.TrimSpace(v.Captured) != "" {
		n, err = notification.Parse([]byte(v.Captured))
	} else if !ok {
		err = fmt.Errorf("there is no sample %q", v.Sample)
	}
	if err == nil {
		content, rerr := s.e.Preview(v.Target, v.Type, n, v.Digest)
		err = rerr
		v.Title, v.Text = content.Title, content.Text
		v.Bytes = len(content.Body("00000000-0000-0000-0000-000000000000"))
		var b strings.Builder
		if v.Type == "text" || v.Type == "link" {
			b.WriteString("<pre>" + template.HTMLEscapeString(content.Text) + "</pre>")
		} else if cerr := goldmark.Convert([]byte(content.Text), &b); cerr != nil {
			err = errors.Join(err, cerr)
		}
		// Alerts are other people's text: whatever HTML is in them is cleaned away.
		v.HTML = template.HTML(bluemonday.UGCPolicy().Sanitize(b.String()))
	}
	if err != nil {
		v.Error = err.Error()
	}
	if v.Status, err = s.e.Status(); err != nil {
		v.Error = err.Error()
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := s.page.Execute(w, v); err != nil {
		s.log.Warn("page", "error", err)
	}
}
