// Package grafana is a strict in-memory stand-in for Grafana's HTTP API, for tests of what Terraform and lookout do with a
// Grafana. It is made from recordings of a real one (10.1, in testdata): what it accepts, refuses, fills in and respells, and
// the code and the body of every answer, are as recorded. replay_test.go holds it against the recordings themselves.
//
// A comment "documented" marks what was not recorded but stands in Grafana's documentation or source; it is there for the
// versions after 10.1, and for the few answers on the way to something recorded. Whatever else is asked is answered as
// Grafana answers an unknown path, is kept, and fails the test: see [Server.Unknown] and [Start].
//
// It evaluates no rule and sends no notification. The rules API answers as Grafana does before the first evaluation.
package grafana

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Options say which Grafana is posed as. The zero value is the recorded one.
type Options struct {
	// Version is what /api/health answers, such as "13.2.3"; "" is "10.1.0-pre", the recorded one. Later ones differ from it
	// where the documentation says so.
	Version string
	// Password is that of the user admin; "" is "admin".
	Password string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// A Server is one Grafana. Its methods may be called by several goroutines.
type Server struct {
	version version
	options Options
	routes  []route

	mu       sync.Mutex
	requests []Request
	unknown  []Request
	ids      map[string]int
	uids     int
	nextUID  string // a recording's, while one is replayed
	accounts accounts

	folders      []*folder
	dashboards   []*dashboard
	datasources  []*datasource
	rules        []*rule
	integrations []*integration
	policy       policy
	provenance   string // of the policy
	muteTimings  []*muteTiming
	templates    []*template
	silences     []*silence
	// instances are what a test says that rules were evaluated to, by the rule's uid.
	instances map[string][]Instance
}

// A Request is one that was asked, and how it was answered.
type Request struct {
	Method, Path, Query string
	Header              http.Header
	Body                []byte
	Status              int
}

func (r Request) String() string {
	s := r.Method + " " + r.Path
	if r.Query != "" {
		s += "?" + r.Query
	}
	return s
}

// New makes an empty Grafana.
func New(o Options) *Server {
	o.Version, o.Password = cmp.Or(o.Version, "10.1.0-pre"), cmp.Or(o.Password, "admin")
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{options: o, version: parseVersion(o.Version), ids: map[string]int{}, policy: defaultPolicy()}
	s.accounts = accounts{users: map[string]*user{}, tokens: map[string]*user{}}
	s.accounts.users["admin"] = &user{login: "admin", password: o.Password, role: Admin}
	s.integrations = []*integration{defaultIntegration()}
	s.routes = slices.Concat(
		s.plainRoutes(), s.folderRoutes(), s.dashboardRoutes(), s.datasourceRoutes(), s.ruleRoutes(), s.contactPointRoutes(),
		s.policyRoutes(), s.muteTimingRoutes(), s.templateRoutes(), s.silenceRoutes(), s.stateRoutes(),
	)
	return s
}

// Start makes an empty Grafana that listens until the test ends, and fails the test for each request that it does not know.
func Start(t testing.TB, o Options) (s *Server, address string) {
	t.Helper()
	s = New(o)
	listener := httptest.NewServer(s)
	t.Cleanup(func() {
		listener.Close()
		for _, r := range s.Unknown() {
			t.Errorf("the stand-in for Grafana does not know %s; record what Grafana answers, and teach it", r)
		}
	})
	return s, listener.URL
}

// Unknown are the requests that the stand-in could not answer as Grafana does.
func (s *Server) Unknown() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.unknown)
}

// Requests are all requests since the last call, in the order in which they were answered.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.requests
	s.requests = nil
	return out
}

// A route is one method and path. In the path "{name}" stands for one part of it, whose %2F is decoded.
type route struct {
	method, path string
	// query are the parameters that this route knows; another one is an unknown request.
	query []string
	// needs is the permission, as Grafana writes it into a refusal, and from which role on one has it.
	needs string
	role  Role
	// open needs no credentials.
	open   bool
	answer func(*call) answer
}

// A call is one request to a route.
type call struct {
	*Server
	r     *http.Request
	body  []byte
	parts map[string]string
	query url.Values
	user  *user
}

func (c *call) part(name string) string { return c.parts[name] }

// unprovenanced says whether the request asks to leave things editable in the user interface.
func (c *call) unprovenanced() bool { return c.r.Header.Get("X-Disable-Provenance") != "" }

// An answer is a status and a body: nil for none, anything else is sent as JSON.
type answer struct {
	status int
	body   any
	plain  bool // Grafana's web framework answered, not the handler
	text   bool // an empty body that says it is text
}

// message is how Grafana words most answers.
func message(status int, text string) answer {
	return answer{status: status, body: map[string]any{"message": text}}
}

// failed carries the trace's id besides, which is always empty.
func failed(status int, format string, args ...any) answer {
	return answer{status: status, body: map[string]any{"message": fmt.Sprintf(format, args...), "traceID": ""}}
}

// stated carries a status in words.
func stated(status int, text, word string) answer {
	return answer{status: status, body: map[string]any{"message": text, "status": word}}
}

var badRequest = failed(http.StatusBadRequest, "bad request data")

// gone is what a missing rule, mute timing or template is: a 404 without body, which the provider can't read for the last two.
var gone = answer{status: http.StatusNotFound, text: true}

// null is a body that says null.
var null = json.RawMessage("null")

// ServeHTTP answers one request at a time, as SQLite lets Grafana.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.answer(r, body)
	s.requests = append(s.requests, Request{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Clone(), body, a.status})
	w.Header().Set("Content-Type", "application/json")
	if a.plain {
		w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	}
	if a.text {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	w.WriteHeader(a.status)
	if a.body == nil {
		return
	}
	data, err := json.Marshal(a.body)
	if err != nil {
		// The bodies are made here; one that can't be written is a fault of this package.
		panic(fmt.Sprintf("answering %s %s: %v", r.Method, r.URL, err))
	}
	_, _ = w.Write(data)
}

func (s *Server) answer(r *http.Request, body []byte) answer {
	unknown := func() answer {
		s.unknown = append(s.unknown, Request{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Clone(), body, http.StatusNotFound})
		return answer{status: http.StatusNotFound, body: map[string]any{"message": "Not found"}, plain: true}
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return unknown()
	}
	for _, route := range s.routes {
		parts, ok := route.match(r)
		if !ok {
			continue
		}
		for name := range query {
			if !slices.Contains(route.query, name) {
				return unknown()
			}
		}
		c := &call{Server: s, r: r, body: body, parts: parts, query: query}
		if !route.open {
			var refused answer
			if c.user, refused, ok = s.identify(r); !ok {
				return refused
			}
			if org := r.Header.Get("X-Grafana-Org-Id"); c.user.role < route.role || otherOrganisation(org) {
				return s.denied(route.needs)
			}
		}
		a := route.answer(c)
		if a.status == 0 {
			return unknown()
		}
		return a
	}
	return unknown()
}

func (r route) match(req *http.Request) (map[string]string, bool) {
	if r.method != req.Method {
		return nil, false
	}
	// A slash at the end is the same path.
	got := strings.Split(strings.TrimSuffix(req.URL.EscapedPath(), "/"), "/")
	want := strings.Split(r.path, "/")
	if len(got) != len(want) {
		return nil, false
	}
	parts := map[string]string{}
	for i, w := range want {
		g, err := url.PathUnescape(got[i])
		if err != nil {
			return nil, false
		}
		if name, ok := strings.CutPrefix(w, "{"); ok {
			if g == "" {
				return nil, false
			}
			parts[strings.TrimSuffix(name, "}")] = g
		} else if g != w {
			return nil, false
		}
	}
	return parts, true
}

// decode reads a body, which has to be one JSON value, of the types that Grafana expects.
func (c *call) decode(v any) error {
	d := json.NewDecoder(bytes.NewReader(c.body))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return err
	}
	if d.More() {
		return errors.New("more than one value")
	}
	return nil
}

// id counts by kind, from 1.
func (s *Server) id(kind string) int {
	s.ids[kind]++
	return s.ids[kind]
}

// uid makes one up, in the form of Grafana 10.1: a UUID whose first character is a letter. They are counted, so that two runs
// of a test see the same ones.
func (s *Server) uid() string {
	if uid := s.nextUID; uid != "" {
		s.nextUID = ""
		return uid
	}
	s.uids++
	return fmt.Sprintf("a%07x-0000-4000-8000-%012x", s.uids, s.uids)
}

// zone is that of the recordings.
var zone = time.FixedZone("CST", 8*60*60)

// now is what an answer to a write shows: with nanoseconds.
func (s *Server) now() time.Time { return s.options.Now().In(zone) }

// whole are the seconds that the database keeps.
func whole(t time.Time) string { return t.In(zone).Format(time.RFC3339) }

// fine is the time as the answer to a write shows it.
func fine(t time.Time) string { return t.In(zone).Format(time.RFC3339Nano) }

// plainRoutes are those about Grafana itself.
func (s *Server) plainRoutes() []route {
	build := func(*call) answer {
		return answer{status: http.StatusOK, plain: true, body: map[string]any{"commit": "NA", "database": "ok", "version": s.options.Version}}
	}
	settings := func(*call) answer {
		// Only this part was recorded.
		return answer{status: http.StatusOK, plain: true, body: map[string]any{"buildInfo": map[string]any{
			"hideVersion": false, "version": s.options.Version, "commit": "NA", "buildstamp": 0, "edition": "Open Source",
			"latestVersion": "", "hasUpdate": false, "env": "production",
		}}}
	}
	// Documented: only its refusals were recorded.
	org := func(*call) answer {
		return answer{status: http.StatusOK, body: map[string]any{"id": 1, "name": "Main Org.", "address": map[string]any{
			"address1": "", "address2": "", "city": "", "zipCode": "", "state": "", "country": "",
		}}}
	}
	me := func(c *call) answer {
		return answer{status: http.StatusOK, body: map[string]any{
			"id": 1, "login": c.user.login, "orgId": 1, "isGrafanaAdmin": c.user.role == Admin, "isDisabled": false,
		}}
	}
	return []route{
		{method: "GET", path: "/api/health", open: true, answer: build},
		{method: "GET", path: "/api/frontend/settings", role: Viewer, answer: settings},
		{method: "GET", path: "/api/org", needs: "orgs:read", role: Viewer, answer: org},
		{method: "GET", path: "/api/user", role: Viewer, answer: me},
	}
}
