package grafana

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A recording is one exchange with a real Grafana 10.1: see testdata/README.md.
type recording struct {
	Name, Note string
	Request    struct {
		Method, Path, Query, Auth string
		Headers                   map[string]string
		Body                      json.RawMessage
		RawBody                   string
	}
	Response struct {
		Status int
		Type   string
		Body   json.RawMessage
	}
}

func readRecordings(t *testing.T) map[string]recording {
	t.Helper()
	files, err := filepath.Glob("testdata/*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatal("no recordings", err)
	}
	all := map[string]recording{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			var r recording
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			all[strings.TrimSuffix(filepath.Base(file), ".jsonl")+"/"+r.Name] = r
		}
	}
	return all
}

// A replay asks the stand-in what was asked of the real one, and holds the answers against the recorded ones.
type replay struct {
	t          *testing.T
	server     *Server
	clock      time.Time
	recordings map[string]recording
	done       map[string]bool
	masked     map[string]int // how often, by field
	exact      int
}

// begin gives the replay an empty Grafana.
func (r *replay) begin(folders ...string) {
	r.clock = time.Date(2026, 11, 26, 6, 30, 0, 123456789, zone)
	r.server = New(Options{Now: func() time.Time { return r.clock }})
	r.server.AddUser("editor", "editor", Editor)
	r.server.AddUser("viewer", "viewer", Viewer)
	r.server.AddToken("tf", "token", Admin)
	for uid, title := range pairs(folders) {
		r.must("POST", "/api/folders", map[string]any{"uid": uid, "title": title})
	}
}

func pairs(flat []string) func(func(string, string) bool) {
	return func(yield func(string, string) bool) {
		for i := 0; i+1 < len(flat); i += 2 {
			if !yield(flat[i], flat[i+1]) {
				return
			}
		}
	}
}

func (r *replay) ask(method, path, query, auth string, headers map[string]string, body []byte) *httptest.ResponseRecorder {
	target := path
	if query != "" {
		target += "?" + query
	}
	req := httptest.NewRequest(method, target, bytes.NewReader(body))
	switch auth {
	case "none":
	case "bearer", "token":
		req.Header.Set("Authorization", "Bearer "+auth)
	case "nobody", "editor", "viewer":
		req.SetBasicAuth(auth, auth)
	case "wrong":
		req.SetBasicAuth("admin", "wrong")
	default:
		req.SetBasicAuth("admin", "admin")
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	rec := httptest.NewRecorder()
	r.server.ServeHTTP(rec, req)
	return rec
}

// must brings about what was there before a recording.
func (r *replay) must(method, path string, body any, headers ...string) {
	r.t.Helper()
	var data []byte
	switch b := body.(type) {
	case nil:
	case json.RawMessage:
		data = b
	default:
		var err error
		if data, err = json.Marshal(b); err != nil {
			r.t.Fatal(err)
		}
	}
	rec := r.ask(method, path, "", "admin", maps.Collect(pairs(headers)), data)
	if rec.Code >= 300 {
		r.t.Fatalf("%s %s: %d %s", method, path, rec.Code, rec.Body)
	}
}

// next makes the stand-in give the ids that were recorded, so that they are compared like everything else. They are those of
// the answer, or of the object that another recording shows.
func (r *replay) next(body json.RawMessage) {
	var in struct {
		ID         int
		UID        string
		SilenceID  string
		Datasource *struct{ UID string }
		Rules      []struct {
			ID  int
			UID string
		}
	}
	if json.Unmarshal(body, &in) != nil {
		return
	}
	if len(in.Rules) > 0 {
		in.ID, in.UID = in.Rules[0].ID, in.Rules[0].UID
	}
	if in.Datasource != nil {
		in.UID = in.Datasource.UID
	}
	r.server.nextUID = cmp.Or(in.UID, in.SilenceID)
	if in.ID > 0 {
		for _, kind := range []string{"dashboard", "datasource", "rule"} {
			r.server.ids[kind] = in.ID - 1
		}
	}
}

// play replays recordings in this order.
func (r *replay) play(folder string, names ...string) {
	r.t.Helper()
	for _, name := range names {
		r.one(folder+"/"+name, "")
	}
}

// shown replays a PUT of a rule group whose new rule is shown, with its ids, by another recording.
func (r *replay) shown(name, by string) {
	r.t.Helper()
	r.one(name, by)
}

func (r *replay) one(name, by string) {
	r.t.Helper()
	rec, ok := r.recordings[name]
	if !ok {
		r.t.Errorf("%s was not recorded", name)
		return
	}
	if r.done[name] {
		r.t.Errorf("%s is replayed twice", name)
	}
	r.done[name] = true
	if by != "" {
		r.next(r.recordings[by].Response.Body)
	} else {
		r.next(rec.Response.Body)
	}
	body := []byte(rec.Request.Body)
	if rec.Request.RawBody != "" {
		body = []byte(rec.Request.RawBody)
	}
	auth := rec.Request.Auth
	if rec.Response.Status == http.StatusUnauthorized && auth == "admin" || name == "01-provider/pull-none-get-search" {
		auth = "wrong"
	}
	if name == "20-auth/locked-out-with-right-password" {
		auth = "admin"
	}
	if name == "01-provider/pull-none-get-alert-rules" {
		auth = "viewer"
	}
	got := r.ask(rec.Request.Method, rec.Request.Path, rec.Request.Query, auth, rec.Request.Headers, body)
	c := comparison{masked: map[string]int{}}
	differences := c.differences(rec, got.Code, got.Header().Get("Content-Type"), got.Body.Bytes())
	for _, d := range differences {
		r.t.Errorf("%s (%s %s): %s", name, rec.Request.Method, rec.Request.Path, d)
	}
	if len(differences) > 0 {
		return
	}
	if len(c.masked) == 0 {
		r.exact++
	}
	for field, n := range c.masked {
		r.masked[field] += n
	}
	r.notice(name, rec, got)
}

// notice makes sure that the comparison can fail: whatever leaf of the recorded answer is changed, it has to see it, unless
// the leaf is masked.
func (r *replay) notice(name string, rec recording, got *httptest.ResponseRecorder) {
	r.t.Helper()
	seen := func(what string, change func(*recording)) {
		other := rec
		change(&other)
		c := comparison{masked: map[string]int{}}
		if len(c.differences(other, got.Code, got.Header().Get("Content-Type"), got.Body.Bytes())) == 0 {
			r.t.Errorf("%s: the comparison does not see another %s", name, what)
		}
	}
	seen("status", func(o *recording) { o.Response.Status++ })
	seen("content type", func(o *recording) { o.Response.Type += "x" })
	body, err := decode(rec.Response.Body)
	if err != nil {
		return
	}
	var walk func(path string, v any, set func(any))
	walk = func(path string, v any, set func(any)) {
		changed := func(to any) {
			set(to)
			seen(path, func(o *recording) { o.Response.Body, _ = json.Marshal(body) })
			set(v)
		}
		switch v := v.(type) {
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(v)) {
				if strings.HasPrefix(key, "$") {
					continue
				}
				if _, ok := mask(key, v[key]); ok {
					continue
				}
				walk(path+"."+key, v[key], func(to any) { v[key] = to })
			}
			if _, marker := v["$more"]; !marker && v["$keys"] == nil && v["$raw"] == nil && path != "" {
				changed("another")
			}
		case []any:
			for i := range v {
				walk(fmt.Sprintf("%s[%d]", path, i), v[i], func(to any) { v[i] = to })
			}
		case string:
			changed(v + "x")
		case json.Number:
			changed(json.Number("1" + strings.TrimPrefix(string(v), "-")))
		case bool:
			changed(!v)
		case nil:
			changed(1)
		}
	}
	walk("", body, func(to any) { body = to })
}

// A comparison holds an answer against a recorded one.
type comparison struct {
	masked map[string]int
	out    []string
}

func (c *comparison) differences(want recording, status int, kind string, got []byte) []string {
	if status != want.Response.Status {
		c.note("", "the status is %d, recorded was %d: %s", status, want.Response.Status, got)
	}
	if kind != want.Response.Type {
		c.note("", "the type is %q, recorded was %q", kind, want.Response.Type)
	}
	wanted, err := decode(want.Response.Body)
	if err != nil {
		c.note("", "the recording is no JSON: %v", err)
	}
	// A recording without body and one of null look alike in the list.
	given, err := decode(got)
	if err != nil {
		c.note("", "the answer is no JSON: %v", err)
	}
	c.compare("", wanted, given, got)
	return c.out
}

func decode(data []byte) (v any, err error) {
	if len(data) == 0 {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

func (c *comparison) note(path, format string, args ...any) {
	c.out = append(c.out, strings.TrimPrefix(path+": ", ": ")+fmt.Sprintf(format, args...))
}

var stamp = regexp.MustCompile(`^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+08:00)$`)

// mask says which leaves differ from one run to the next, and by what they are held against each other all the same.
func mask(key string, value any) (func(any) bool, bool) {
	text, _ := value.(string)
	switch key {
	case "created", "updated":
		// Their form still counts: seconds from the database, fractions from memory.
		if m := stamp.FindStringSubmatch(text); m != nil {
			return func(got any) bool {
				s, _ := got.(string)
				g := stamp.FindStringSubmatch(s)
				return g != nil && (g[1] == "") == (m[1] == "") && g[2] == m[2]
			}, true
		}
	case "accessErrorId":
		return func(got any) bool { s, _ := got.(string); return strings.HasPrefix(s, "ACE") && len(s) == len(text) }, true
	case "buildstamp":
		return func(got any) bool { _, ok := got.(json.Number); return ok }, true
	}
	return nil, false
}

func (c *comparison) compare(path string, want, got any, raw []byte) {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		switch {
		case !ok:
			c.note(path, "it is %v, recorded was an object", got)
			return
		case w["$keys"] != nil:
			if keys := slices.Sorted(maps.Keys(g)); fmt.Sprint(keys) != fmt.Sprint(w["$keys"]) {
				c.note(path, "it has the fields %v, recorded were %v", keys, w["$keys"])
			}
			return
		case w["$raw"] != nil:
			text, _, _ := strings.Cut(w["$raw"].(string), " ... [cut]")
			// The times are not those of the recording.
			times := regexp.MustCompile(`20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d`)
			if !strings.HasPrefix(times.ReplaceAllString(string(raw), "T"), times.ReplaceAllString(text, "T")) {
				c.note(path, "the text is\n%s\nand recorded was\n%s", raw, text)
			}
			c.masked["created"]++
			return
		}
		for _, key := range slices.Sorted(maps.Keys(w)) {
			at := path + "." + key
			value, ok := g[key]
			if !ok {
				c.note(at, "missing, recorded was %v", w[key])
				continue
			}
			if same, ok := mask(key, w[key]); ok {
				c.masked[key]++
				if !same(value) {
					c.note(at, "it is %v, recorded was %v", value, w[key])
				}
				continue
			}
			c.compare(at, w[key], value, raw)
		}
		for _, key := range slices.Sorted(maps.Keys(g)) {
			if _, ok := w[key]; !ok {
				c.note(path+"."+key, "it is %v, recorded was nothing", g[key])
			}
		}
	case []any:
		g, ok := got.([]any)
		if !ok {
			c.note(path, "it is %v, recorded was a list", got)
			return
		}
		n := len(w)
		if n > 0 {
			if last, ok := w[n-1].(map[string]any); ok && last["$more"] != nil {
				n--
				more, _ := strconv.Atoi(fmt.Sprint(last["$more"]))
				w, g = w[:n], g[:min(n, len(g))]
				c.masked[fmt.Sprintf("the end of a list that was cut (%d entries)", more)]++
			}
		}
		if len(w) != len(g) {
			c.note(path, "it has %d entries, recorded were %d: %v", len(g), len(w), g)
			return
		}
		for i := range w {
			c.compare(fmt.Sprintf("%s[%d]", path, i), w[i], g[i], raw)
		}
	case string:
		g, ok := got.(string)
		for _, cut := range []string{" ... [cut]", "…"} {
			if text, found := strings.CutSuffix(w, cut); found && len(text) > 20 {
				c.masked["the end of a text that was cut"]++
				if !ok || !strings.HasPrefix(g, text) && !strings.HasSuffix(g, cut) {
					c.note(path, "it is %q, recorded was %q", got, w)
				}
				return
			}
		}
		if !ok || g != w {
			c.note(path, "it is %#v, recorded was %#v", got, w)
		}
	case json.Number:
		// Spelled alike: 1000.0 is not 1000.
		if g, _ := got.(json.Number); g != w {
			c.note(path, "it is %v, recorded was %v", got, want)
		}
	default:
		if want != got {
			c.note(path, "it is %v, recorded was %v", got, want)
		}
	}
}

func TestReplay(t *testing.T) {
	r := &replay{t: t, recordings: readRecordings(t), done: map[string]bool{}, masked: map[string]int{}}
	for _, story := range stories {
		story(r)
	}
	for name, why := range unplayed {
		if r.done[name] {
			t.Errorf("%s is replayed, and listed as not: %s", name, why)
		}
		r.done[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(r.recordings)) {
		if !r.done[name] {
			t.Errorf("%s is neither replayed nor listed as not replayed", name)
		}
	}
	t.Logf("%d recorded exchanges: %d replayed, of which %d are answered to the letter and the others but for what is masked; %d not replayed",
		len(r.recordings), len(r.recordings)-len(unplayed), r.exact, len(unplayed))
	for _, field := range slices.Sorted(maps.Keys(r.masked)) {
		t.Logf("masked %d times: %s", r.masked[field], field)
	}
}
