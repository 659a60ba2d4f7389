// Package robot is a stand-in for DingTalk's custom robots: it keeps their rules, gives their
// answers, breaks on request, and shows what a group would see.
//
// The rules come from DingTalk's documentation of custom robots and from what public code was seen
// to cope with; see the README beside it for the choices made where neither says.
package robot

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config is all a [Server] depends on. Zero values take the defaults named here.
type Config struct {
	Robots []Robot // at least one, with distinct tokens and names

	PerMinute int           // messages a robot takes in any Window; 20
	Window    time.Duration // 1 minute
	Block     time.Duration // how long a robot is blocked after one too many; 10 minutes
	ClockSkew time.Duration // how far a signature's timestamp may be off; 1 hour
	MaxBody   int           // longest body in bytes; 20,000
	Keep      int           // messages in memory, accepted and refused together; 1,000
	KeepUUIDs int           // msgUuids remembered per robot; 10,000
	Wording   Wording       // Described

	TimeZone *time.Location // of the page; UTC
	Now      func() time.Time
	Rand     *rand.Rand // for faults at random; seeded with 1
	Logger   *slog.Logger
	Registry *prometheus.Registry
	Version  string
}

// maxKeywords is how many DingTalk lets one enter per robot.
const maxKeywords = 10

// maxRead is where reading a body ends: far beyond MaxBody, so that too long is answered properly.
const maxRead = 1 << 20

type member struct {
	Robot
	admission sync.Mutex
	limiters  []*limiter
	uuids     uuids
}

// Server answers for all robots of a group.
type Server struct {
	cfg     Config
	book    answerBook
	robots  []*member
	metrics *metrics
	faults  *faultScript
	events  *hub
	page    *page

	mu       sync.Mutex
	last     int64
	messages []*Message // oldest first, at most cfg.Keep

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
}

// New checks cfg and makes a Server. Call Close to end the streams and waits it holds open.
func New(cfg Config) (*Server, error) {
	setDefault(&cfg.PerMinute, 20)
	setDefault(&cfg.Window, time.Minute)
	setDefault(&cfg.Block, 10*time.Minute)
	setDefault(&cfg.ClockSkew, time.Hour)
	setDefault(&cfg.MaxBody, 20_000)
	setDefault(&cfg.Keep, 1000)
	setDefault(&cfg.KeepUUIDs, 10_000)
	setDefault(&cfg.Wording, Described)
	if cfg.TimeZone == nil {
		cfg.TimeZone = time.UTC
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.New(rand.NewPCG(1, 1))
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Registry == nil {
		cfg.Registry = prometheus.NewRegistry()
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, book: newAnswerBook(cfg.Wording), events: newHub()}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.faults = newFaultScript(cfg.Rand)
	for _, r := range cfg.Robots {
		s.robots = append(s.robots, &member{
			Robot:    r,
			limiters: protocolOf(r.Chat).limits(cfg),
			uuids:    uuids{keep: cfg.KeepUUIDs},
		})
	}
	var err error
	if s.metrics, err = newMetrics(s, cfg.Registry); err != nil {
		return nil, err
	}
	if s.page, err = newPage(cfg); err != nil {
		return nil, err
	}
	return s, nil
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

func (c Config) check() error {
	for name, n := range map[string]int64{
		"messages per minute": int64(c.PerMinute), "window": int64(c.Window), "block": int64(c.Block),
		"clock skew": int64(c.ClockSkew), "longest body": int64(c.MaxBody), "messages kept": int64(c.Keep),
		"msgUuids kept": int64(c.KeepUUIDs),
	} {
		if n < 0 {
			return fmt.Errorf("%s: %d is below zero", name, n)
		}
	}
	if c.Wording != Classic && c.Wording != Described {
		return fmt.Errorf("wording %q: choose %s or %s", c.Wording, Classic, Described)
	}
	if len(c.Robots) == 0 {
		return errors.New("no robots: configure at least one")
	}
	tokens, names := map[string]bool{}, map[string]bool{}
	for i, r := range c.Robots {
		switch {
		case r.AccessToken == "":
			return fmt.Errorf("robot %d (%s): access_token is empty", i+1, r.Name)
		case r.Name == "" || r.Name == unknownRobot:
			return fmt.Errorf("robot %d: name %q: give it a name other than %q", i+1, r.Name, unknownRobot)
		case tokens[r.AccessToken]:
			return fmt.Errorf("robot %s: its access_token is another robot's", r.Name)
		case names[r.Name]:
			return fmt.Errorf("robot %s: two robots have this name", r.Name)
		case len(r.Keywords) > maxKeywords:
			return fmt.Errorf("robot %s: %d keywords, a robot takes up to %d", r.Name, len(r.Keywords), maxKeywords)
		case slices.Contains(r.Keywords, ""):
			return fmt.Errorf("robot %s: a keyword is empty, which would let everything pass", r.Name)
		case protocolOf(r.Chat) == nil:
			return fmt.Errorf("robot %s: chat %q: choose dingtalk, feishu or wecom", r.Name, r.Chat)
		case r.Chat == WeCom && (len(r.Keywords) > 0 || r.Secret != "" || len(r.AllowedIPs) > 0):
			return fmt.Errorf("robot %s: WeCom's robots are secured by their key alone: leave out keywords, secret and allowed_ips", r.Name)
		case r.Chat == DingTalk && len(r.Keywords) == 0 && r.Secret == "" && len(r.AllowedIPs) == 0:
			return fmt.Errorf("robot %s: set keywords, secret or allowed_ips; DingTalk demands at least one", r.Name)
		case r.State != Active && r.State != Disabled && r.State != Removed && r.State != Disbanded:
			return fmt.Errorf("robot %s: state %q: choose %s, %s, %s or leave it out", r.Name, r.State, Disabled, Removed, Disbanded)
		}
		tokens[r.AccessToken], names[r.Name] = true, true
	}
	return nil
}

// Close ends the pages' event streams and the waits of scripted faults, so that an http.Server in
// front can shut down.
func (s *Server) Close() { s.cancel() }

// Handler serves the robots, the JSON API and the page. /metrics and the health endpoints are the
// program's.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/robot/send", s.sendBy(dingTalk))
	mux.HandleFunc("/open-apis/bot/v2/hook/{token}", s.sendBy(feishu))
	mux.HandleFunc("/cgi-bin/webhook/send", s.sendBy(wecom))
	mux.HandleFunc("/robot/redirected", s.redirected)
	mux.HandleFunc("GET /api/messages", s.listMessages)
	mux.HandleFunc("DELETE /api/messages", s.clearMessages)
	mux.HandleFunc("GET /api/answers", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]any{"wording": s.cfg.Wording, "answers": Answers()})
	})
	mux.HandleFunc("GET /api/faults", s.listFaults)
	mux.HandleFunc("POST /api/faults", s.addFaults)
	mux.HandleFunc("DELETE /api/faults", s.clearFaults)
	s.routePage(mux)
	return mux
}

const unknownRobot = "unknown"

func (s *Server) find(chat Chat, token string) *member {
	for _, r := range s.robots {
		if r.Chat == chat && r.AccessToken == token {
			return r
		}
	}
	return nil
}

// sendBy is what the robots of a chat are called at.
func (s *Server) sendBy(p *protocol) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, ok := readBody(w, r)
		if !ok {
			return // the caller is gone
		}
		if fault, ok := s.faults.next(p.token(r)); ok {
			s.sendWithFault(w, r, p, body, fault)
			return
		}
		writeJSON(w, http.StatusOK, p.answer(s.receive(r, p, body, "")))
	}
}

// receive applies the rules to one call, keeps it, and returns the verdict. fault names the kind of
// fault its caller will see in place of the verdict.
func (s *Server) receive(r *http.Request, p *protocol, body []byte, fault string) verdict {
	m := &Message{Time: s.cfg.Now(), Robot: unknownRobot, Chat: p.chat, Fault: fault}
	robot := s.find(p.chat, p.token(r))
	if robot != nil {
		m.Robot = robot.Name
	}
	v := p.judge(s, robot, r, body, m)
	s.decide(m, robot, v)
	return v
}

// judge names the answer a call deserves. It fills m with as much of the message as can be read.
func (s *Server) judge(robot *member, r *http.Request, body []byte, m *Message) (name, about string) {
	q := r.URL.Query()
	missing, unsupported := m.take(body, s.cfg.MaxBody)
	switch {
	case r.Method != http.MethodPost:
		return AnswerNotPost, ""
	case q.Get("access_token") == "":
		return AnswerTokenMissing, ""
	case robot == nil:
		return AnswerNoSuchToken, ""
	case robot.State == Disabled:
		return AnswerDisabled, ""
	case robot.State == Removed:
		return AnswerRobotGone, ""
	case robot.State == Disbanded:
		return AnswerGroupGone, ""
	}
	if ip := clientIP(r.RemoteAddr); !robot.allows(ip) {
		return AnswerIP, ip.String()
	}
	if refused := robot.checkSign(q, m.Time, s.cfg.ClockSkew); refused != "" {
		return refused, ""
	}
	switch {
	case len(body) > s.cfg.MaxBody:
		return AnswerTooLong, ""
	case unsupported:
		return AnswerBadType, ""
	case missing != "":
		return AnswerMissingParameter, missing
	case len(robot.Keywords) > 0 && !m.holds(robot.Keywords):
		return AnswerKeyword, ""
	case !robot.admit(m.Time):
		return AnswerTooFast, ""
	}
	return AnswerOK, ""
}

// decide keeps m, or counts it as a repeat of a message that is known by its msgUuid.
func (s *Server) decide(m *Message, robot *member, v verdict) {
	m.Accepted, m.ErrCode, m.ErrMsg = v.ok(), v.Code, v.Text
	s.metrics.calls.WithLabelValues(m.Robot, strconv.Itoa(v.Code)).Inc()
	log := s.cfg.Logger.With("robot", m.Robot, "msgtype", m.MsgType, "msg_uuid", m.MsgUUID)

	s.mu.Lock()
	defer s.mu.Unlock()
	if m.Accepted && m.MsgUUID != "" {
		if id, known := robot.uuids.message(m.MsgUUID); known {
			s.metrics.repeats.WithLabelValues(m.Robot).Inc()
			if i := slices.IndexFunc(s.messages, func(m *Message) bool { return m.ID == id }); i >= 0 {
				// A copy: the one that was there may be being read.
				again := *s.messages[i]
				again.Repeats++
				s.messages[i] = &again
				s.events.send(event{message: &again, changed: true})
			}
			log.Info("message repeated", "id", id)
			return
		}
	}
	s.keepLocked(m)
	if m.Accepted && m.MsgUUID != "" {
		robot.uuids.remember(m.MsgUUID, m.ID)
	}
	if m.Accepted {
		log.Info("message accepted", "id", m.ID)
	} else {
		log.Warn("message refused", "id", m.ID, "errcode", v.Code, "errmsg", v.Text)
	}
}

func (s *Server) keepLocked(m *Message) {
	s.last++
	m.ID = s.last
	s.messages = append(s.messages, m)
	if n := len(s.messages) - s.cfg.Keep; n > 0 {
		clear(s.messages[:n]) // so that they can be freed before the slice moves
		s.messages = s.messages[n:]
	}
	s.events.send(event{message: m})
}

func (s *Server) kept() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.messages)
}

// Messages returns the messages with an ID above since, oldest first.
func (s *Server) Messages(since int64) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	messages := []Message{}
	for _, m := range s.messages {
		if m.ID > since {
			messages = append(messages, *m)
		}
	}
	return messages
}

func (s *Server) listMessages(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	var since int64
	if given := q.Get("since"); given != "" {
		n, err := strconv.ParseInt(given, 10, 64)
		if err != nil || n < 0 {
			writeError(w, fmt.Sprintf("since=%q: give the id of a message, a whole number from 0", given))
			return
		}
		since = n
	}
	messages := s.Messages(since)
	if given := q.Get("accepted"); given != "" {
		want, err := strconv.ParseBool(given)
		if err != nil {
			writeError(w, fmt.Sprintf("accepted=%q: give true or false", given))
			return
		}
		messages = slices.DeleteFunc(messages, func(m Message) bool { return m.Accepted != want })
	}
	if given := q.Get("robot"); given != "" {
		messages = slices.DeleteFunc(messages, func(m Message) bool { return m.Robot != given })
	}
	writeJSON(w, http.StatusOK, map[string]any{"messages": messages})
}

func (s *Server) clearMessages(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	s.messages = nil
	s.events.send(event{cleared: true})
	s.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

func compact(body []byte) json.RawMessage {
	var b bytes.Buffer
	if err := json.Compact(&b, body); err != nil {
		return nil
	}
	return b.Bytes()
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // DingTalk doesn't either
	if err := enc.Encode(v); err != nil {
		http.Error(w, `{"error":"could not encode the answer"}`, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(code)
	w.Write(b.Bytes())
}

func writeError(w http.ResponseWriter, message string) {
	writeJSON(w, http.StatusBadRequest, map[string]string{"error": message})
}
