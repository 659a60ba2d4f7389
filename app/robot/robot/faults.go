package robot

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Fault is one line of a fault script: what happens to the next Times calls.
type Fault struct {
	// Kind is one of the Fault… constants.
	Kind string `json:"kind"`
	// Times is how many calls it is for; 1 if absent, -1 for all until the script is cleared.
	Times int `json:"times,omitempty"`
	// Percent of its calls that fail; the others are handled properly. 100 if absent.
	Percent int `json:"percent,omitempty"`
	// AccessToken limits it to calls of one robot.
	AccessToken string `json:"access_token,omitempty"`
	// Deliver says whether the message reaches the chat although its sender doesn't get a proper
	// answer. If absent: true for slow and half_body, false otherwise.
	Deliver *bool `json:"deliver,omitempty"`
	// Delay, a Go duration: how long slow waits (1s if absent), and when timeout gives up waiting
	// for the caller to (60s).
	Delay string `json:"delay,omitempty"`
	// Status is the HTTP status of the kind "status"; 503 if absent.
	Status int `json:"status,omitempty"`
	// Answer is the name of the answer that the kind "errcode" gives, see [Answers].
	Answer string `json:"answer,omitempty"`
	// ErrCode and ErrMsg are given by the kind "errcode" where Answer is absent.
	ErrCode int    `json:"errcode,omitempty"`
	ErrMsg  string `json:"errmsg,omitempty"`
}

// The kinds of faults.
const (
	FaultNone       = "none"        // handled properly: a pause in a script
	FaultSlow       = "slow"        // a proper answer after Delay
	FaultTimeout    = "timeout"     // no answer until the caller gives up
	FaultReset      = "reset"       // the connection is reset
	FaultStatus     = "status"      // an HTTP status that is not 200
	FaultHTML       = "html"        // HTTP 200 with a web page, as a proxy in between may answer
	FaultFloodGuard = "flood_guard" // HTTP 200 with a JSON body that has no errcode
	FaultRedirect   = "redirect"    // HTTP 302 to /robot/redirected, where arrivals are counted
	FaultHalfBody   = "half_body"   // the connection ends in the middle of the answer
	FaultErrCode    = "errcode"     // HTTP 200 with any errcode
	FaultRandom     = "random"      // any of the passing ones, chosen anew for each call
)

var faultKinds = []string{FaultNone, FaultSlow, FaultTimeout, FaultReset, FaultStatus, FaultHTML,
	FaultFloodGuard, FaultRedirect, FaultHalfBody, FaultErrCode, FaultRandom}

const (
	maxFaultDelay   = time.Minute
	maxScriptLength = 10_000
)

func (f *Fault) check(book answerBook) error {
	if !slices.Contains(faultKinds, f.Kind) {
		return fmt.Errorf("kind %q: choose one of %s", f.Kind, strings.Join(faultKinds, ", "))
	}
	if f.Times == 0 {
		f.Times = 1
	}
	if f.Times < -1 {
		return fmt.Errorf("times %d: give a number from 1, or -1 for all calls", f.Times)
	}
	if f.Percent == 0 {
		f.Percent = 100
	}
	if f.Percent < 1 || f.Percent > 100 {
		return fmt.Errorf("percent %d: give 1 to 100", f.Percent)
	}
	if f.Delay != "" {
		d, err := time.ParseDuration(f.Delay)
		if err != nil || d < 0 || d > maxFaultDelay {
			return fmt.Errorf("delay %q: give a duration from 0s to %v, such as 1500ms", f.Delay, maxFaultDelay)
		}
	}
	if f.Kind == FaultStatus && f.Status == 0 {
		f.Status = http.StatusServiceUnavailable
	}
	if f.Status != 0 && (f.Status < 200 || f.Status > 599 || f.Kind != FaultStatus) {
		return fmt.Errorf("status %d: give 200 to 599, with kind %q only", f.Status, FaultStatus)
	}
	if f.Kind == FaultErrCode {
		if _, ok := book.byName[f.Answer]; f.Answer != "" && !ok {
			return fmt.Errorf("answer %q: GET /api/answers lists them", f.Answer)
		}
		if f.Answer == "" && f.ErrCode == 0 && f.ErrMsg == "" {
			return fmt.Errorf("kind %q needs answer, or errcode and errmsg", FaultErrCode)
		}
	} else if f.Answer != "" || f.ErrCode != 0 || f.ErrMsg != "" {
		return fmt.Errorf("answer, errcode and errmsg go with kind %q, not %q", FaultErrCode, f.Kind)
	}
	return nil
}

func (f Fault) delay(absent time.Duration) time.Duration {
	if d, err := time.ParseDuration(f.Delay); err == nil {
		return d
	}
	return absent
}

func (f Fault) delivers() bool {
	if f.Deliver != nil {
		return *f.Deliver
	}
	return f.Kind == FaultSlow || f.Kind == FaultHalfBody
}

// faultScript is the queue of faults to come.
type faultScript struct {
	mu    sync.Mutex
	rand  *rand.Rand
	lines []Fault
}

func newFaultScript(r *rand.Rand) *faultScript { return &faultScript{rand: r} }

// next takes the fault for a call with this token, if the script has one.
func (f *faultScript) next(token string) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.lines {
		line := &f.lines[i]
		if line.AccessToken != "" && line.AccessToken != token {
			continue
		}
		fault := *line
		if line.Times > 0 {
			if line.Times--; line.Times == 0 {
				f.lines = slices.Delete(f.lines, i, i+1)
			}
		}
		if fault.Kind == FaultNone || f.rand.IntN(100) >= fault.Percent {
			return Fault{}, false
		}
		if fault.Kind == FaultRandom {
			fault = f.anyLocked(fault)
		}
		return fault, true
	}
	return Fault{}, false
}

// anyLocked is a fault that passes, of any kind: with some of them the message is in the chat, and
// its sender can't know.
func (f *faultScript) anyLocked(from Fault) Fault {
	yes, no := true, false
	kinds := []Fault{
		{Kind: FaultSlow, Delay: "200ms", Deliver: &yes},
		{Kind: FaultReset, Deliver: &no},
		{Kind: FaultReset, Deliver: &yes},
		{Kind: FaultStatus, Status: http.StatusInternalServerError, Deliver: &no},
		{Kind: FaultStatus, Status: http.StatusBadGateway, Deliver: &yes},
		{Kind: FaultHTML, Deliver: &no},
		{Kind: FaultFloodGuard, Deliver: &no},
		{Kind: FaultHalfBody, Deliver: &yes},
		{Kind: FaultErrCode, Answer: AnswerBusy, Deliver: &no},
		{Kind: FaultErrCode, Answer: AnswerTooFast, Deliver: &no},
	}
	picked := kinds[f.rand.IntN(len(kinds))]
	if from.Deliver != nil {
		picked.Deliver = from.Deliver
	}
	return picked
}

func (s *Server) listFaults(w http.ResponseWriter, _ *http.Request) {
	s.faults.mu.Lock()
	lines := append([]Fault{}, s.faults.lines...)
	s.faults.mu.Unlock()
	for i := range lines {
		if lines[i].AccessToken != "" {
			lines[i].AccessToken = "(set)" // tokens are shown nowhere
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{"faults": lines})
}

// addFaults is POST /api/faults: {"faults":[{"kind":"status","times":3},{"kind":"timeout"}]} adds
// to the end of the script, all of it or nothing.
func (s *Server) addFaults(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Faults []Fault `json:"faults"`
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRead))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		writeError(w, `body: give {"faults":[{"kind":"…"}]}: `+err.Error())
		return
	}
	if len(in.Faults) == 0 {
		writeError(w, `faults: the list is empty or absent; give {"faults":[{"kind":"…"}]}`)
		return
	}
	for i := range in.Faults {
		if err := in.Faults[i].check(s.book); err != nil {
			writeError(w, fmt.Sprintf("faults[%d]: %v", i, err))
			return
		}
		if t := in.Faults[i].AccessToken; t != "" && !slices.ContainsFunc(s.robots, func(r *member) bool { return r.AccessToken == t }) {
			writeError(w, fmt.Sprintf("faults[%d]: access_token belongs to no robot here", i))
			return
		}
	}
	s.faults.mu.Lock()
	tooMany := len(s.faults.lines)+len(in.Faults) > maxScriptLength
	if !tooMany {
		s.faults.lines = append(s.faults.lines, in.Faults...)
	}
	s.faults.mu.Unlock()
	if tooMany {
		writeError(w, fmt.Sprintf("faults: a script has at most %d lines; use times", maxScriptLength))
		return
	}
	s.listFaults(w, r)
}

func (s *Server) clearFaults(w http.ResponseWriter, _ *http.Request) {
	s.faults.mu.Lock()
	s.faults.lines = nil
	s.faults.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

// redirected is where the redirect fault leads. It looks like success, so that a sender that
// follows redirects would believe its message was shown.
func (s *Server) redirected(w http.ResponseWriter, _ *http.Request) {
	s.metrics.redirects.Inc()
	s.cfg.Logger.Warn("a redirect was followed")
	writeJSON(w, http.StatusOK, s.book.verdict(AnswerOK, ""))
}

// sendWithFault answers one call the way fault says.
func (s *Server) sendWithFault(w http.ResponseWriter, r *http.Request, p *protocol, body []byte, fault Fault) {
	s.metrics.faults.WithLabelValues(fault.Kind).Inc()
	v := s.book.verdict(AnswerOK, "")
	if fault.delivers() {
		v = s.receive(r, p, body, fault.Kind)
	} else {
		s.loseTo(fault, r, p, body)
	}

	switch fault.Kind {
	case FaultSlow:
		if s.wait(r.Context(), fault.delay(time.Second)) {
			writeJSON(w, http.StatusOK, p.answer(v))
		}
	case FaultTimeout:
		s.wait(r.Context(), fault.delay(maxFaultDelay))
		panic(http.ErrAbortHandler)
	case FaultReset:
		reset(w)
	case FaultStatus:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(fault.Status)
		if fault.Status >= 400 {
			fmt.Fprintln(w, http.StatusText(fault.Status))
		}
	case FaultHTML:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, "<!doctype html><html><head><title>503</title></head><body><h1>系统维护中</h1></body></html>\n")
	case FaultFloodGuard:
		writeJSON(w, http.StatusOK, map[string]any{
			"status": 1111, "wait": 5, "source": "x5", "punish": "deny", "uuid": "0123456789abcdef0123456789abcdef",
		})
	case FaultRedirect:
		http.Redirect(w, r, "/robot/redirected", http.StatusFound)
	case FaultHalfBody:
		answer, _ := json.Marshal(p.answer(v)) // plain fields: cannot fail
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Content-Length", fmt.Sprint(len(answer)))
		w.Write(answer[:len(answer)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case FaultErrCode:
		given := verdict{Code: fault.ErrCode, Text: fault.ErrMsg}
		if fault.Answer != "" {
			given = s.book.verdict(fault.Answer, "test")
		}
		writeJSON(w, http.StatusOK, p.answer(given))
	}
}

// loseTo keeps a call that never reached its robot, so that the page shows what happened to it.
func (s *Server) loseTo(fault Fault, r *http.Request, p *protocol, body []byte) {
	m := &Message{Time: s.cfg.Now(), Robot: unknownRobot, Chat: p.chat, Fault: fault.Kind, ErrMsg: fault.ErrMsg, ErrCode: fault.ErrCode}
	if robot := s.find(p.chat, p.token(r)); robot != nil {
		m.Robot = robot.Name
	}
	if fault.Answer != "" {
		v := s.book.verdict(fault.Answer, "test")
		m.ErrCode, m.ErrMsg = v.Code, v.Text
	}
	if fault.Status != 0 {
		m.ErrMsg = fmt.Sprintf("HTTP %d", fault.Status)
	}
	p.take(m, body, s.cfg.MaxBody)
	s.metrics.calls.WithLabelValues(m.Robot, "none").Inc()
	s.cfg.Logger.Warn("message lost to a scripted fault", "robot", m.Robot, "fault", fault.Kind, "msg_uuid", m.MsgUUID)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keepLocked(m)
}

// wait reports whether d passed; it ends early when the caller leaves or the server closes.
func (s *Server) wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
	case <-s.ctx.Done():
	}
	return false
}

// reset ends the connection so that the caller sees "connection reset by peer": closing with
// nothing left to linger makes the kernel send RST.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
