// Package web is what the relay answers over HTTP: the webhooks, health, dead letters and a page to
// try templates on.
package web

import (
	"bytes"
	"cmp"
	"context"
	"crypto/subtle"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"

	"lookout/app/relay/internal/config"
	"lookout/app/relay/internal/delivery"
	"lookout/app/relay/internal/message"
	"lookout/app/relay/internal/notification"
	"lookout/app/relay/internal/spool"
)

//go:embed page.html answer.html
var pages embed.FS

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
	// intake and parsing bound the memory that bodies take.
	intake, parsing *budget
	refused         refusals
	page            *template.Template
	mux             http.Handler
	// Stopping makes /-/ready say no while requests under way are still answered.
	Stopping atomic.Bool
}

// New makes the handler.
func New(o Options) (*Server, error) {
	page, err := template.ParseFS(pages, "*.html")
	if err != nil {
		return nil, err
	}
	s := &Server{e: o.Engine, log: o.Log, maxBody: o.MaxBody, intake: newBudget(max(intakeBytes, 2*o.MaxBody+keptForSmall), keptForSmall), parsing: newBudget(max(parsingBytes, o.MaxBody+1), 0), page: page}
	open := http.NewServeMux()
	health := s.healthMux(o.Metrics)
	for _, path := range []string{"GET /-/healthy", "GET /-/ready", "GET /-/pair", "GET /metrics"} {
		open.Handle(path, health)
	}
	// What senders may do, and what only operators may.
	guarded := http.NewServeMux()
	sender := func(pattern string, fn func(w http.ResponseWriter, r *http.Request)) {
		guarded.Handle(pattern, s.authorised(fn, func(c *config.Config) (string, bool) { return c.BearerToken, true }))
	}
	operator := func(pattern string, fn func(w http.ResponseWriter, r *http.Request)) {
		guarded.Handle(pattern, s.authorised(fn, func(c *config.Config) (string, bool) {
			return cmp.Or(c.AdminToken, c.BearerToken), c.AdminToken != "" || c.BearerToken == ""
		}))
	}
	robot := func(w http.ResponseWriter, r *http.Request) { s.accept(w, r, r.PathValue("robot")) }
	sender("POST /v1/robots/{robot}", robot)
	sender("POST /v1/robots/{robot}/{$}", robot)
	// The address of prometheus-webhook-dingtalk, so that changing over is one host name.
	sender("POST /dingtalk/{robot}/send", robot)
	sender("POST /v1/notify", func(w http.ResponseWriter, r *http.Request) { s.accept(w, r, "") })
	sender("POST /v1/heartbeats/{name}", s.heartbeat)
	// The signature in the address is what lets in.
	for _, method := range []string{"GET", "POST"} {
		guarded.HandleFunc(method+" /answer/{ref}", s.answer)
	}
	operator("GET /api/sent", s.sent)
	operator("POST /dead/{id}/resend", s.deadResendPage)
	operator("GET /api/status", s.status)
	operator("GET /api/dead", s.deadList)
	operator("POST /api/dead/{id}/resend", s.deadResend)
	operator("DELETE /api/dead/{id}", s.deadDrop)
	operator("GET /{$}", s.render)
	operator("POST /{$}", s.render)
	operator("GET /render", s.render)
	operator("POST /render", s.render)
	guarded.HandleFunc("/", s.nowhere)
	// A page elsewhere must not be able to re-send dead letters through someone's browser.
	open.Handle("/", s.hosts(s.sameOrigin(guarded)))
	s.mux = open
	return s, nil
}

// healthMux answers what has to be answered at all times.
func (s *Server) healthMux(metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /-/ready", s.ready)
	mux.HandleFunc("GET /-/pair", s.pair)
	mux.Handle("GET /metrics", metrics)
	return mux
}

// Health is the handler for a listener that health checks and Prometheus have for themselves.
func (s *Server) Health(metrics http.Handler) http.Handler { return s.healthMux(metrics) }

// pair is what the other relay of a pair asks while their PostgreSQL does not answer.
func (s *Server) pair(w http.ResponseWriter, _ *http.Request) {
	p := s.e.Pair()
	if p == nil {
		http.Error(w, "this relay is not one of a pair", http.StatusNotFound)
		return
	}
	io.WriteString(w, p.Answer())
}

// nowhere answers addresses that don't exist and methods that are not for them. A sender that is pointed there loses
// alerts, so it is logged and counted.
func (s *Server) nowhere(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	known := len(parts) == 3 && parts[0] == "v1" && (parts[1] == "robots" || parts[1] == "heartbeats") ||
		len(parts) == 2 && parts[0] == "v1" && parts[1] == "notify" || len(parts) == 3 && parts[0] == "dingtalk" && parts[2] == "send"
	if known && r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		s.reject(w, r, http.StatusMethodNotAllowed, "wrong_method", fmt.Errorf("%s is not for %s: notifications are posted", r.Method, r.URL.Path))
		return
	}
	s.reject(w, r, http.StatusNotFound, "no_address", fmt.Errorf("there is no %s: notifications go to /v1/robots/<target>, /v1/notify or /v1/heartbeats/<name>; the targets are %s",
		message.Clip(100, r.URL.Path), strings.Join(slices.Sorted(maps.Keys(s.e.Config().Targets)), ", ")))
}

// hosts refuses browsers that came here by a name that is not the relay's: a page whose own name was made to point
// here could otherwise read and do what its visitor may. Senders are no browsers and may use any name.
func (s *Server) hosts(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := r.Header
		browser := h.Get("Origin") != "" || h.Get("Sec-Fetch-Site") != "" || strings.HasPrefix(h.Get("User-Agent"), "Mozilla/")
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		host = strings.ToLower(strings.Trim(host, "[]"))
		_, notAddress := netip.ParseAddr(host)
		if browser && notAddress != nil && strings.Contains(host, ".") && !slices.Contains(s.e.Config().Hosts, host) {
			s.reject(w, r, http.StatusMisdirectedRequest, "wrong_host", fmt.Errorf("the relay is not known as %q: add it to hosts in its configuration", message.Clip(100, host)))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// sameOrigin refuses what another page makes a browser send. Where a proxy hides the name that phones know, an answer comes from
// the address that links have.
func (s *Server) sameOrigin(next http.Handler) http.Handler {
	own := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		check := own
		if a := s.e.Config().Answers; a != nil && r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/answer/") {
			check = http.NewCrossOriginProtection()
			if u, err := url.Parse(a.URL); err == nil {
				// Without it those of the relay's own name are taken.
				_ = check.AddTrustedOrigin(u.Scheme + "://" + u.Host)
			}
		}
		if check.Check(r) != nil {
			http.Error(w, "这个请求不是从中继自己的页面发出的，请重新打开链接 This was not sent by a page of the relay's own: open the link again.", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'")
	s.mux.ServeHTTP(w, r)
}

// authorised asks for a bearer token if one is configured. Browsers, which can't send one, may
// give it as the password of any user. Where the token is not enough, because it is the senders', only the
// machine itself may ask.
func (s *Server) authorised(next http.HandlerFunc, wanted func(*config.Config) (token string, enough bool)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		want, enough := wanted(s.e.Config())
		if want == "" {
			next(w, r)
			return
		}
		scheme, got, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") {
			_, got, _ = r.BasicAuth()
		}
		if subtle.ConstantTimeCompare([]byte(got), []byte(want)) != 1 {
			w.Header().Set("WWW-Authenticate", `Basic realm="relay"`)
			s.reject(w, r, http.StatusUnauthorized, "unauthorised", errors.New("the bearer token is missing or wrong"))
			return
		}
		if from, err := netip.ParseAddrPort(r.RemoteAddr); !enough && (err != nil || !from.Addr().Unmap().IsLoopback()) {
			s.reject(w, r, http.StatusForbidden, "forbidden", errors.New("the senders' token does not open this: set admin_token_file, or ask from the relay's own machine"))
			return
		}
		next(w, r)
	})
}

// refusals keeps the log from being filled by whoever likes to: of what anyone can cause only the first is
// logged, and then how many there were in each minute.
type refusals struct {
	mu    sync.Mutex
	since time.Time
	count int
}

// note returns whether to log now, and how many were not logged before.
func (r *refusals) note(now time.Time) (bool, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.since) < time.Minute {
		r.count++
		return false, 0
	}
	n := r.count
	r.since, r.count = now, 0
	return true, n
}

func (s *Server) fail(w http.ResponseWriter, r *http.Request, status int, err error) {
	words := s.e.Config().Redact(err.Error())
	log := s.log.With("path", s.e.Config().Redact(message.Clip(200, r.URL.Path)), "status", status, "error", words)
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusMisdirectedRequest:
		if now, more := s.refused.note(time.Now()); now {
			log.Warn("rejected", "not_logged_before", more)
		}
	default:
		log.Warn("rejected")
	}
	s.json(w, status, map[string]string{"error": words})
}

func (s *Server) json(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	// The client may be gone.
	_ = json.NewEncoder(w).Encode(v)
}

func (s *Server) accept(w http.ResponseWriter, r *http.Request, target string) {
	began := time.Now()
	body, release, err := s.read(w, r, s.maxBody)
	defer func() { release() }()
	if err != nil {
		var tooBig *http.MaxBytesError
		switch {
		case errors.As(err, &tooBig):
			s.reject(w, r, http.StatusRequestEntityTooLarge, "too_large", fmt.Errorf("the body has more than %d bytes: group alerts, or raise --max-body", s.maxBody))
		case errors.Is(err, errBusy):
			w.Header().Set("Retry-After", "1")
			s.reject(w, r, http.StatusServiceUnavailable, "busy", err)
		case r.Header.Get("Content-Encoding") != "":
			s.reject(w, r, http.StatusBadRequest, "malformed", err)
		default:
			// An Alertmanager tries again what is answered 5xx.
			s.reject(w, r, http.StatusServiceUnavailable, "cut_off", errors.New("the body did not arrive whole"))
		}
		return
	}
	// A large body is read alone, small ones beside each other, all in the order they came.
	if !s.parsing.take(int64(len(body)), true, largeWait) {
		w.Header().Set("Retry-After", "1")
		s.reject(w, r, http.StatusServiceUnavailable, "busy", errBusy)
		return
	}
	parsing := int64(len(body))
	defer func() { s.parsing.give(parsing) }()
	n, err := notification.Parse(body)
	if err != nil {
		s.reject(w, r, http.StatusBadRequest, "malformed", err)
		return
	}
	if n.Unreadable > 0 {
		s.e.Metrics.Rejected.WithLabelValues("bad_alert").Add(float64(n.Unreadable))
		s.log.Warn("alerts of a notification were left out, the others are taken", "path", r.URL.Path, "alerts", n.Unreadable, "first", s.e.Config().Redact(n.Mistake))
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
	for _, p := range s.e.Peers() {
		if p.Stream == delivery.StreamDown {
			fmt.Fprintf(w, "%s: not connected to DingTalk, taps on its cards do not arrive\n", p.ID)
		}
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

// sentPage is how many answers the page shows at once.
const sentPage = 200

// tapsShown are the taps on the page, and the messages that wait.
const tapsShown = 50

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
	dead, next, err := s.e.Dead(after, deadPage)
	if err != nil {
		s.fail(w, r, http.StatusInternalServerError, err)
		return
	}
	answer := map[string]any{"dead": append([]delivery.DeadSummary{}, dead...)}
	if next != 0 {
		// There may be more: ask again with after=next.
		answer["next"] = next
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
	Targets, Samples, Types []string
	// Channels of the target, by their label.
	Channels                       []string
	Channel                        int
	Target, Sample, Type, Captured string
	Digest                         bool
	Title, Text                    string
	HTML                           template.HTML
	Body                           string
	Bytes, Limit                   int
	Error                          string
	Status                         delivery.Status
	// Peers are the robots, mailboxes and gateways; Dead the newest dead letters; Log what was sent, by a search.
	Peers []delivery.PeerStatus
	Dead  []delivery.DeadSummary
	// Outgoing are messages that wait. Taps are the last ones on cards.
	Outgoing []delivery.Outgoing
	Taps     []delivery.KeptTap
	Log      []delivery.Sent
	Search   string
	// PerPage answers are shown; what is older than Older, 0 for nothing, is on the next page.
	PerPage int
	Older   uint64
	Zone    *time.Location
}

// Clock is a time as the page shows it.
func (v pageView) Clock(t time.Time) string { return t.In(v.Zone).Format("01-02 15:04:05") }

// Seconds is a time that something takes as the page shows it.
func (v pageView) Seconds(d time.Duration) time.Duration { return d.Round(time.Second) }

// sent answers with what was sent to whom and what was answered, newest first, by a search.
func (s *Server) sent(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query().Get("q")
	list, err := s.e.Sent(q, 0, sentPage)
	if err != nil {
		s.fail(w, r, http.StatusInternalServerError, err)
		return
	}
	// A thousand large ones are not held at once.
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	separator := `{"sent":[`
	for {
		for _, one := range list {
			raw, err := json.Marshal(one)
			if err != nil {
				continue
			}
			if _, err := io.WriteString(w, separator+string(raw)); err != nil {
				// The client is gone.
				return
			}
			separator = ","
		}
		if len(list) < sentPage {
			break
		}
		if list, err = s.e.Sent(q, list[len(list)-1].ID, sentPage); err != nil {
			// Cut off, since the status is out: what is no JSON is no list.
			s.log.Warn("the list of what was sent could not be read to its end", "error", err)
			return
		}
	}
	if separator != "," {
		io.WriteString(w, separator)
	}
	io.WriteString(w, "]}\n")
}

// deadResendPage is the page's button.
func (s *Server) deadResendPage(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err == nil {
		err = s.e.Resend(r.Context(), id, "")
	}
	if err != nil {
		s.fail(w, r, http.StatusNotFound, err)
		return
	}
	s.log.Info("dead letter re-sent", "message", id)
	http.Redirect(w, r, "/#dead", http.StatusSeeOther)
}

// render shows what a notification would look like in the chat.
func (s *Server) render(w http.ResponseWriter, r *http.Request) {
	c := s.e.Config()
	r.Body = http.MaxBytesReader(w, r.Body, s.maxBody)
	v := pageView{Sample: "firing"}
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
	if x := r.FormValue("target"); c.Targets[x] != nil {
		v.Target = x
	}
	channels := c.Targets[v.Target].Channels
	for _, ch := range channels {
		v.Channels = append(v.Channels, ch.Label())
	}
	if x, err := strconv.Atoi(r.FormValue("channel")); err == nil && x >= 0 && x < len(channels) {
		v.Channel = x
	}
	v.Types = channels[v.Channel].Kind.Types
	v.Type = c.Peers[channels[v.Channel].IDs()[0]].Traits().Form.Type
	if x := r.FormValue("type"); slices.Contains(v.Types, x) {
		v.Type = x
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
		shown, rerr := s.e.Preview(v.Target, v.Channel, v.Type, n, v.Digest)
		err = rerr
		v.Title, v.Text, v.Bytes, v.Limit = shown.Title, shown.Text, shown.Bytes, shown.Limit
		var body bytes.Buffer
		if json.Indent(&body, shown.Body, "", "  ") == nil {
			v.Body = body.String()
		}
		var b strings.Builder
		if shown.Plain {
			b.WriteString("<pre>" + template.HTMLEscapeString(shown.Text) + "</pre>")
		} else if cerr := goldmark.Convert([]byte(shown.Text), &b); cerr != nil {
			err = errors.Join(err, cerr)
		}
		// Alerts are other people's text: whatever HTML is in them is cleaned away.
		//lint:ignore G203 the sanitiser made it
		v.HTML = template.HTML(bluemonday.UGCPolicy().Sanitize(b.String()))
	}
	if err != nil {
		v.Error = err.Error()
	}
	if v.Status, err = s.e.Status(); err != nil {
		v.Error = err.Error()
	}
	v.Zone, v.Peers, v.Search = c.Zone, s.e.Peers(), r.FormValue("q")
	var err2 error
	v.Dead, _, err = s.e.Dead(0, deadPage)
	var err3, err4 error
	v.Outgoing, err4 = s.e.Outgoing(tapsShown)
	v.Taps, err3 = s.e.Taps(tapsShown)
	v.PerPage = sentPage
	// What is no number is the first page.
	before, _ := strconv.ParseUint(r.FormValue("before"), 10, 64)
	if v.Log, err2 = s.e.Sent(v.Search, before, sentPage+1); len(v.Log) > sentPage {
		v.Log = v.Log[:sentPage]
		v.Older = v.Log[sentPage-1].ID
	}
	if err := errors.Join(err, err2, err3, err4); err != nil {
		v.Error = err.Error()
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := s.page.ExecuteTemplate(w, "page.html", v); err != nil {
		s.log.Warn("page", "error", err)
	}
}
