package console

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestAnswersGoToTheRelay: the page that a message's link opens is the relay's, with its headers and answers, below any path and
// without the reader's password; nothing else of the relay is reached.
func TestAnswersGoToTheRelay(t *testing.T) {
	var asked []string
	relay := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = append(asked, fmt.Sprint(r.Method, " ", r.Host, " ", r.URL, " ", string(body), r.Header.Get("Authorization")))
		w.Header().Set("Content-Security-Policy", "default-src 'none'")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, "the relay's page")
	}))
	defer relay.Close()
	s, err := New(Config{Paths: []string{t.TempDir()}, Listen: "127.0.0.1:8090", ExternalURL: "https://lookout.example.com/mon", Relay: relay.URL})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(method, path, body string) *http.Response {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Host = "lookout.example.com"
		r.Header.Set("Authorization", "Basic c2VjcmV0")
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		return w.Result()
	}
	resp := ask("GET", "/mon/answer/abc?e=1&s=x-_", "")
	page, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusForbidden || string(page) != "the relay's page" || resp.Header.Get("Content-Security-Policy") != "default-src 'none'" ||
		strings.Join(resp.Header["Referrer-Policy"], " ") != "no-referrer" {
		t.Errorf("%d %s %v", resp.StatusCode, page, resp.Header)
	}
	ask("POST", "/mon/answer/abc?e=1&s=x-_", "who=me")
	for _, path := range []string{"/mon/answer/abc/../../api/dead", "/mon/answer/", "/mon/v1/notify", "/mon/api/status"} {
		if resp := ask("GET", path, ""); resp.StatusCode == http.StatusForbidden {
			t.Errorf("%s gets to the relay", path)
		}
	}
	want := []string{"GET lookout.example.com /answer/abc?e=1&s=x-_ ", "POST lookout.example.com /answer/abc?e=1&s=x-_ who=me"}
	if strings.Join(asked, "\n") != strings.Join(want, "\n") {
		t.Errorf("the relay was asked\n%s\nwant\n%s", strings.Join(asked, "\n"), strings.Join(want, "\n"))
	}
	relay.Close()
	if resp := ask("GET", "/mon/answer/abc?e=1", ""); resp.StatusCode != http.StatusBadGateway {
		t.Errorf("without a relay: %d", resp.StatusCode)
	}
	if _, err := New(Config{Paths: []string{t.TempDir()}, Listen: "127.0.0.1:8090", Relay: "relay:8070"}); err == nil || !strings.Contains(err.Error(), "--relay") {
		t.Errorf("an address that is none: %v", err)
	}
}
