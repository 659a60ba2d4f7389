package grafana

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

func ask(t *testing.T, address, method, path, body string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("admin", "admin")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

// A silentTB collects what would fail a test.
type silentTB struct {
	testing.TB
	errors   []string
	cleanups []func()
}

func (s *silentTB) Helper()          {}
func (s *silentTB) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }
func (s *silentTB) Errorf(format string, a ...any) {
	s.errors = append(s.errors, fmt.Sprintf(format, a...))
}

func TestUnknownRequestsFailTheTest(t *testing.T) {
	for _, r := range [][2]string{
		{"GET", "/api/nosuch"}, {"PATCH", "/api/folders"}, {"GET", "/api/folders?parentUid=x"},
		{"POST", "/api/ds/query"}, {"GET", "/apis/dashboard.grafana.app/v2/namespaces/default/dashboards/x"},
	} {
		tb := &silentTB{TB: t}
		s, address := Start(tb, Options{})
		body := ""
		if r[0] == "POST" {
			body = `{"queries":[{"datasource":{"uid":"__expr__"}}]}`
		}
		if status, answer := ask(t, address, r[0], r[1], body); status != http.StatusNotFound || answer != `{"message":"Not found"}` {
			t.Errorf("%v: %d %s", r, status, answer)
		}
		if len(s.Unknown()) != 1 {
			t.Errorf("%v is not reported: %v", r, s.Unknown())
		}
		for _, f := range tb.cleanups {
			f()
		}
		if len(tb.errors) != 1 || !strings.Contains(tb.errors[0], r[0]+" "+r[1]) {
			t.Errorf("%v: the test was failed with %q", r, tb.errors)
		}
	}
}

// Documented, not recorded: see the comments in the code.
func TestLaterVersions(t *testing.T) {
	const v2 = `{"apiVersion":"dashboard.grafana.app/v2","kind":"Dashboard","metadata":{"name":"tabs"},"spec":{"title":"Tabs","layout":{"kind":"TabsLayout"}}}`
	save := fmt.Sprintf(`{"dashboard":%s,"overwrite":true}`, v2)

	_, old := Start(t, Options{Version: "12.4.0"})
	if status, answer := ask(t, old, "POST", "/api/dashboards/db", save); status != http.StatusBadRequest {
		t.Errorf("12.4 takes a resource: %d %s", status, answer)
	}

	s, address := Start(t, Options{Version: "13.2.3"})
	if _, answer := ask(t, address, "GET", "/api/health", ""); !strings.Contains(answer, `"13.2.3"`) {
		t.Errorf("the version is not shown: %s", answer)
	}
	if status, answer := ask(t, address, "POST", "/api/dashboards/db", save); status != http.StatusOK {
		t.Fatalf("13 does not take a resource: %d %s", status, answer)
	}
	if status, _ := ask(t, address, "GET", "/api/dashboards/uid/tabs", ""); status != http.StatusNotAcceptable {
		t.Errorf("the classic form of a V2 dashboard is answered %d", status)
	}
	for _, path := range []string{
		"/api/dashboards/uid/tabs?apiVersion=v2", "/apis/dashboard.grafana.app/v2/namespaces/default/dashboards/tabs",
	} {
		if status, answer := ask(t, address, "GET", path, ""); status != http.StatusOK || !strings.Contains(answer, "TabsLayout") {
			t.Errorf("%s: %d %s", path, status, answer)
		}
	}
	if status, _ := ask(t, address, "GET", "/apis/dashboard.grafana.app/v2/namespaces/default/dashboards/none", ""); status != http.StatusNotFound {
		t.Errorf("a missing resource is answered %d", status)
	}
	var resource map[string]any
	if err := json.Unmarshal([]byte(strings.ReplaceAll(v2, "abs", "rays")), &resource); err != nil {
		t.Fatal(err)
	}
	if status := s.SaveV2("", resource); status != http.StatusOK {
		t.Errorf("SaveV2: %d", status)
	}

	// New rules with a uid of their own.
	put := func(address string) int {
		status, _ := ask(t, address, "PUT", "/api/v1/provisioning/folder/f/rule-groups/g", `{"interval":60,"rules":[{"uid":"own","title":"T","condition":"A",
			"data":[{"refId":"A","datasourceUid":"__expr__","model":{}}],"noDataState":"KeepLast","execErrState":"OK","for":"1m"}]}`)
		return status
	}
	_, recorded := Start(t, Options{})
	if a, b := put(address), put(recorded); a != http.StatusOK || b != http.StatusInternalServerError {
		t.Errorf("a new rule with a uid: %d in 13, %d in 10.1", a, b)
	}
}

func TestVersion(t *testing.T) {
	for text, want := range map[string]bool{"10.1.0-pre": false, "10.3.99": false, "10.4.0": true, "10.4.1": true, "11.0.0": true, "13.2.3": true, "9.5.0": false} {
		if got := parseVersion(text).from(10, 4, 0); got != want {
			t.Errorf("%s from 10.4.0: %v", text, got)
		}
	}
}
