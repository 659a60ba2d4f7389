package robot

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"
)

//go:embed page
var pageFiles embed.FS

// shown is how many messages a page begins with; the API has all of them.
const shown = 200

// page renders the chat.
type page struct {
	cfg      Config
	renderer *renderer
	template *template.Template
	// boot tells one run of the program from the next, whose message ids begin at 1 again.
	boot string
	// assets are served under addresses that change with their content.
	assets map[string]asset
}

type asset struct {
	contentType, hash string
	body              []byte
}

func indent(b *bytes.Buffer, raw []byte) error { return json.Indent(b, raw, "", "  ") }

func newPage(cfg Config) (*page, error) {
	p := &page{cfg: cfg, renderer: newRenderer(), boot: rand.Text(), assets: map[string]asset{}}
	for name, contentType := range map[string]string{
		"style.css": "text/css; charset=utf-8", "app.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml",
	} {
		body, err := pageFiles.ReadFile("page/" + name)
		if err != nil {
			return nil, fmt.Errorf("read the page's files: %w", err)
		}
		sum := sha256.Sum256(body)
		p.assets[name] = asset{contentType, hex.EncodeToString(sum[:6]), body}
	}
	var err error
	p.template, err = template.New("").Funcs(template.FuncMap{
		"asset": func(name string) string { return "/assets/" + name + "?v=" + p.assets[name].hash },
	}).ParseFS(pageFiles, "page/*.tmpl")
	if err != nil {
		return nil, fmt.Errorf("parse the page's templates: %w", err)
	}
	return p, nil
}

func (s *Server) routePage(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", s.showPage)
	mux.HandleFunc("GET /assets/{name}", s.page.asset)
	mux.HandleFunc("GET /api/events", s.streamEvents)
}

// contentSecurityPolicy lets the page load its own three files and ask its own server, and nothing
// else, whatever a message may hold.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types messages"

func (p *page) asset(w http.ResponseWriter, r *http.Request) {
	a, ok := p.assets[r.PathValue("name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", a.contentType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", strconv.Quote(a.hash))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.body))
}

// language is zh or en: what the address asks for, else what the browser prefers.
func language(r *http.Request) string {
	switch r.URL.Query().Get("lang") {
	case "zh":
		return "zh"
	case "en":
		return "en"
	}
	for wanted := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		switch wanted = strings.TrimSpace(wanted); {
		case strings.HasPrefix(wanted, "zh"):
			return "zh"
		case strings.HasPrefix(wanted, "en"):
			return "en"
		}
	}
	return "en"
}

// pageView is what index.tmpl shows.
type pageView struct {
	Lang     string
	T        words
	Boot     string
	Version  string
	Last     int64
	Keep     int
	Shown    int
	Omitted  int
	Robots   []robotView
	Limit    string
	Example  string
	Messages []messageView
}

type robotView struct {
	Name, Security, Avatar string
	State                  State
}

// messageView is what message.tmpl shows.
type messageView struct {
	*Message
	T        words
	Clock    string // as shown
	ISO      string
	Day      string
	NewDay   bool // the first of its day on the page
	Avatar   string
	Body     template.HTML
	Vertical bool
	Cards    []cardView
	Raw      string
	Lost     string
	// Type is the msgtype if the page has a shape for it.
	Type string
	// Outcome is refused, lost (a fault kept it from the robot), doubtful (shown, but its sender
	// can't know) or empty.
	Outcome string
}

type cardView struct {
	Title, URL, Host string
	Picture          bool
}

// brief drops the units of a duration that are zero: 10m instead of 10m0s.
func brief(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// avatar picks one of the colours of style.css, always the same for a name.
func avatar(name string) string {
	h := fnv.New32a()
	h.Write([]byte(name))
	return fmt.Sprintf("avatar-%d", h.Sum32()%6)
}

func (p *page) view(m *Message, lang string) messageView {
	at := m.Time.In(p.cfg.TimeZone)
	v := messageView{
		Message: m, T: dictionary[lang], Clock: at.Format("15:04:05"), ISO: at.Format(time.RFC3339),
		Day: at.Format("2006-01-02"), Avatar: avatar(m.Robot), Vertical: m.vertical || len(m.Links) != 2,
		Lost: strings.Join(m.At.Lost, " @"),
	}
	switch m.MsgType {
	case "markdown", "actionCard":
		text := m.Text
		if m.Chat == WeCom {
			// It knows no italics, and a line break is one.
			text = strings.NewReplacer("**", "**", "\n", "  \n", "_", `\_`, "*", `\*`, "~", `\~`).Replace(text)
		}
		v.Type, v.Body = m.MsgType, p.renderer.md(text, m.At)
	case "interactive":
		// In a card a line break is one.
		v.Type, v.Body = "actionCard", p.renderer.md("### "+m.Title+"\n\n"+strings.ReplaceAll(m.Text, "\n", "  \n"), m.At)
	case "post":
		v.Body = p.renderer.text(m.Title+"\n"+m.Text, m.At)
	case "link", "feedCard":
		if len(m.Links) > 0 {
			v.Type = m.MsgType
		}
		fallthrough
	default:
		v.Body = p.renderer.text(m.Text, m.At)
	}
	for _, l := range m.Links {
		u := safeURL(l.URL)
		v.Cards = append(v.Cards, cardView{Title: l.Title, URL: u, Host: host(u), Picture: l.PicURL != ""})
	}
	if len(m.Payload) > 0 {
		v.Raw = prettyJSON(m.Payload)
	}
	switch {
	case m.Fault != "" && m.Accepted && m.Fault != FaultSlow:
		v.Outcome = "doubtful"
	case m.Fault != "" && !m.Accepted && m.ErrCode == 0:
		v.Outcome = "lost"
	case !m.Accepted:
		v.Outcome = "refused"
	}
	return v
}

func (s *Server) showPage(w http.ResponseWriter, r *http.Request) {
	lang := language(r)
	messages := s.Messages(0)
	v := pageView{
		Lang: lang, T: dictionary[lang], Boot: s.page.boot, Version: s.cfg.Version, Keep: s.cfg.Keep, Shown: shown,
		Limit: fmt.Sprintf(dictionary[lang]["limit"], s.cfg.PerMinute, brief(s.cfg.Window), brief(s.cfg.Block)),
	}
	if n := len(messages); n > 0 {
		v.Last = messages[n-1].ID
	}
	if n := len(messages) - shown; n > 0 {
		v.Omitted = n
		messages = messages[n:]
	}
	day := ""
	for i := range messages {
		m := s.page.view(&messages[i], lang)
		m.NewDay = m.Day != day
		day = m.Day
		v.Messages = append(v.Messages, m)
	}
	for _, m := range s.robots {
		v.Robots = append(v.Robots, robotView{Name: m.Name, Security: describeSecurity(m.Robot), Avatar: avatar(m.Name), State: m.State})
	}
	keyword := "报警"
	if k := s.robots[0].Keywords; len(k) > 0 {
		keyword = k[0]
	}
	v.Example = fmt.Sprintf(`curl -H 'Content-Type: application/json' \
  -d '{"msgtype":"text","text":{"content":"%s: hello"}}' \
  'http://%s/robot/send?access_token=…'`, keyword, r.Host)

	var b bytes.Buffer
	if err := s.page.template.ExecuteTemplate(&b, "index.tmpl", v); err != nil {
		s.cfg.Logger.Error("render the page", "error", err)
		http.Error(w, "could not render the page", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", contentSecurityPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Accept-Language")
	w.Write(b.Bytes())
}

// heartbeat keeps proxies from closing a quiet stream, and tells a dead page from a quiet one.
const heartbeat = 15 * time.Second

// streamEvents is GET /api/events?since=…: server-sent events "hello" (which run of the program
// this is), "message", "changed" and "cleared". The messages come rendered.
func (s *Server) streamEvents(w http.ResponseWriter, r *http.Request) {
	lang := language(r)
	last, _ := strconv.ParseInt(r.URL.Query().Get("since"), 10, 64) // no number: from the beginning
	if n, err := strconv.ParseInt(r.Header.Get("Last-Event-ID"), 10, 64); err == nil {
		last = n
	}
	rc := http.NewResponseController(w)
	write := func(format string, args ...any) bool {
		_ = rc.SetWriteDeadline(time.Now().Add(2 * heartbeat))
		if _, err := fmt.Fprintf(w, format, args...); err != nil {
			return false
		}
		return rc.Flush() == nil
	}
	send := func(name string, m *Message) bool {
		var b bytes.Buffer
		if err := s.page.template.ExecuteTemplate(&b, "message.tmpl", s.page.view(m, lang)); err != nil {
			s.cfg.Logger.Error("render a message", "id", m.ID, "error", err)
			return true
		}
		data, err := json.Marshal(map[string]any{"id": m.ID, "html": b.String()})
		if err != nil {
			return true
		}
		last = max(last, m.ID)
		return write("event: %s\nid: %d\ndata: %s\n\n", name, last, data)
	}

	// Listening begins before what is missed is read, so that nothing falls between the two.
	events := s.events.listen()
	defer s.events.leave(events)
	s.metrics.streams.Inc()
	defer s.metrics.streams.Dec()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	if !write("retry: 1000\nevent: hello\ndata: {\"boot\":%q}\n\n", s.page.boot) {
		return
	}
	for _, m := range s.Messages(last) {
		if !send("message", &m) {
			return
		}
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		ok := true
		select {
		case <-r.Context().Done():
			return
		case <-s.ctx.Done():
			return
		case <-beat.C:
			ok = write(": still here\n\n")
		case e, open := <-events:
			switch {
			case !open:
				return
			case e.cleared:
				ok = write("event: cleared\ndata: {}\n\n")
			case e.changed:
				ok = send("changed", e.message)
			case e.message.ID > last:
				ok = send("message", e.message)
			}
		}
		if !ok {
			return
		}
	}
}
