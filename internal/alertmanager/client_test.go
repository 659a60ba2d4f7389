package alertmanager_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"lookout/internal/alertmanager"
)

func client(t *testing.T, answer http.HandlerFunc) *alertmanager.Client {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	c, err := alertmanager.New(strings.Replace(server.URL, "://", "://user:s3cret@", 1)+"/prefix", nil, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAddresses(t *testing.T) {
	for _, address := range []string{"", "localhost:9093", "ftp://host", "http://", "http://%zz", "/path"} {
		if _, err := alertmanager.New(address, nil, time.Second); err == nil || !strings.Contains(err.Error(), "not a valid address of an Alertmanager; write http://host:9093") {
			t.Errorf("%q: %v", address, err)
		}
	}
	c, err := alertmanager.New("http://user:s3cret@host:9093/am/", nil, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Address(); strings.Contains(got, "s3cret") || !strings.Contains(got, "host:9093/am") {
		t.Errorf("address %q", got)
	}
}

// Answers of Alertmanager, of Grafana, and of what is neither.
func TestAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		body   string
		says   string
	}{
		"Alertmanager's words":  {400, `"bad matcher"`, "bad matcher (HTTP 400)"},
		"Grafana's words":       {403, `{"message": "no permission", "traceID": ""}`, "no permission (HTTP 403)"},
		"an error field":        {500, `{"error": "broken"}`, "broken (HTTP 500)"},
		"a page":                {502, "<html>\n Bad   gateway</html>", "<html> Bad gateway</html> (HTTP 502)"},
		"nothing":               {500, "", "no reason given (HTTP 500)"},
		"a long text":           {500, strings.Repeat("x", 1000), strings.Repeat("x", 300) + "… (HTTP 500)"},
		"not the API":           {200, "<html>", "answers what is not its API"},
		"another kind of JSON":  {200, `{"a": 1}`, "answers what is not its API"},
		"too much":              {200, `["` + strings.Repeat("x", 33<<20) + `"]`, "answers more than 32 MiB"},
		"silences are not here": {404, "404 page not found", "404 page not found (HTTP 404)"},
	} {
		c := client(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(test.status)
			_, _ = io.WriteString(w, test.body)
		})
		if _, err := c.Silences(t.Context()); err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %.400v", name, err)
		}
	}
}

func TestAServerThatIsGoneOrSlow(t *testing.T) {
	gone, err := alertmanager.New("http://user:s3cret@127.0.0.1:1", nil, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := gone.Alerts(t.Context()); err == nil || !strings.Contains(err.Error(), "connection refused") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("gone: %v", err)
	}
	slow := client(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := slow.Alerts(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("slow: %v", err)
	}
}

func TestRequests(t *testing.T) {
	var asked string
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		user, password, _ := r.BasicAuth()
		asked = fmt.Sprintf("%s %s %s:%s %s", r.Method, r.URL.EscapedPath(), user, password, body)
		switch {
		case strings.HasSuffix(r.URL.Path, "/gone"):
			w.WriteHeader(http.StatusNotFound)
		case r.Method == http.MethodPost && strings.Contains(string(body), "grafana"):
			_, _ = io.WriteString(w, `{"id": "new"}`)
		case r.Method == http.MethodPost:
			_, _ = io.WriteString(w, `{"silenceID": "new"}`)
		case strings.HasSuffix(r.URL.Path, "/alerts"):
			_, _ = io.WriteString(w, `[{"labels": {"alertname": "A"}, "status": {"state": "suppressed", "silencedBy": ["x"]}, "startsAt": "2026-01-02T03:04:05.123+08:00"}]`)
		default:
			_, _ = io.WriteString(w, `{"id": "a/b", "status": {"state": "active"}, "matchers": [{"name": "a", "value": "b", "isRegex": false}]}`)
		}
	})
	alerts, err := c.Alerts(t.Context())
	if err != nil || len(alerts) != 1 || alerts[0].Status.SilencedBy[0] != "x" || alerts[0].StartsAt.UTC().Hour() != 19 {
		t.Errorf("%+v, %v", alerts, err)
	}
	if want := "GET /prefix/api/v2/alerts user:s3cret "; asked != want {
		t.Errorf("asked %q, want %q", asked, want)
	}
	silence, err := c.Silence(t.Context(), "a/b")
	if err != nil || silence.State() != "active" || !silence.Matches(map[string]string{"a": "b"}) || silence.Matches(map[string]string{"a": "c"}) {
		t.Errorf("%+v, %v", silence, err)
	}
	if want := "GET /prefix/api/v2/silence/a%2Fb user:s3cret "; asked != want {
		t.Errorf("asked %q, want %q", asked, want)
	}
	if _, err := c.Silence(t.Context(), "gone"); !errors.Is(err, alertmanager.ErrNotFound) {
		t.Errorf("a silence that is gone: %v", err)
	}
	if err := c.Expire(t.Context(), "gone"); !errors.Is(err, alertmanager.ErrNotFound) {
		t.Errorf("ending a silence that is gone: %v", err)
	}
	equal := true
	for _, comment := range []string{"alertmanager", "grafana"} {
		id, err := c.Save(t.Context(), alertmanager.Silence{
			Comment: comment, CreatedBy: "me", Status: &alertmanager.SilenceState{State: "active"}, UpdatedAt: time.Now(), Matchers: []alertmanager.Matcher{{Name: "a", Value: "b", IsEqual: &equal}},
			StartsAt: time.Unix(1, 0).UTC(), EndsAt: time.Unix(2, 0).UTC(),
		})
		if err != nil || id != "new" {
			t.Errorf("%q, %v", id, err)
		}
		// Status and the time of the last change are the server's; it refuses unknown fields.
		if want := `POST /prefix/api/v2/silences user:s3cret {"matchers":[{"name":"a","value":"b","isRegex":false,"isEqual":true}],"startsAt":"1970-01-01T00:00:01Z",` +
			`"endsAt":"1970-01-01T00:00:02Z","createdBy":"me","comment":"` + comment + `"}`; asked != want {
			t.Errorf("asked %q, want %q", asked, want)
		}
	}
}

func TestMatchers(t *testing.T) {
	for text, test := range map[string]struct {
		written string
		matches string
		not     string
		err     bool
	}{
		`a=b`:            {`a="b"`, "b", "", false},
		`a="b c"`:        {`a="b c"`, "b c", "b", false},
		`a!=b`:           {`a!="b"`, "", "b", false},
		`a=~"b|c"`:       {`a=~"b|c"`, "c", "bc", false},
		`a!~"b.*"`:       {`a!~"b.*"`, "", "bc", false},
		`a=""`:           {`a=""`, "", "b", false},
		`a="\"quoted\""`: {`a="\"quoted\""`, `"quoted"`, "quoted", false},
		`"a.b"="c"`:      {`"a.b"="c"`, "", "", false},
		`a=中文`:           {`a="中文"`, "中文", "", false},
		``:               {err: true},
		`a`:              {err: true},
		`a=~"("`:         {err: true},
		`a="b`:           {err: true},
	} {
		m, err := alertmanager.ParseMatcher(text)
		if test.err {
			if err == nil || !strings.Contains(err.Error(), "not a valid matcher") {
				t.Errorf("%q: %v, %v", text, m, err)
			}
			continue
		}
		if err != nil || m.String() != test.written || m.Valid() != nil {
			t.Errorf("%q is written %q, want %q (%v)", text, m, test.written, err)
		}
		if m.Name == "a" && (!m.Matches(map[string]string{"a": test.matches}) || m.Matches(map[string]string{"a": test.not})) {
			t.Errorf("%q matches %q: %t, %q: %t", text, test.matches, m.Matches(map[string]string{"a": test.matches}), test.not, m.Matches(map[string]string{"a": test.not}))
		}
		again, err := alertmanager.ParseMatcher(m.String())
		if err != nil || again.String() != m.String() {
			t.Errorf("%q is read as %q (%v)", m, again, err)
		}
	}
	if (alertmanager.Matcher{Name: "a", Value: "b"}).Op() != "=" {
		t.Error("a matcher of an old server, which says nothing about equality, is not =")
	}
	if err := (alertmanager.Matcher{Name: "a", Value: "(", IsRegex: true}).Valid(); err == nil {
		t.Error("a pattern that is none is valid")
	}
}
