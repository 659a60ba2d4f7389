package series

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func call(t *testing.T, s *Store, method, path, body string) (int, string) {
	t.Helper()
	mux := http.NewServeMux()
	s.Route(mux)
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestSeriesAreExposedUntilTheirLeaseEnds(t *testing.T) {
	c := &clock{time.Unix(1000, 0)}
	s := New("", c.now)
	body := `{"lease": "10s", "series": [
		{"labels": {"__name__": "x_total", "job": "go", "path": "a\\b\"c\nd"}, "value": 5, "per_second": 2},
		{"labels": {"__name__": "up"}, "value": 0}]}`
	code, text := call(t, s, "PUT", "/drill/series/one", body)
	require.Equal(t, 204, code, text)
	c.at = c.at.Add(4 * time.Second)
	_, text = call(t, s, "GET", "/drill/metrics", "")
	require.Equal(t, "up{} 0\n"+`x_total{job="go",path="a\\b\"c\nd"} 13`+"\n", text)

	// The same series renew the lease, and the value goes on.
	code, _ = call(t, s, "PUT", "/drill/series/one", body)
	require.Equal(t, 204, code)
	c.at = c.at.Add(9 * time.Second)
	require.Contains(t, s.Exposition(), "} 31\n")
	// Another value begins anew.
	code, _ = call(t, s, "PUT", "/drill/series/one", `{"lease": "10s", "series": [{"labels": {"__name__": "up"}, "value": 1}]}`)
	require.Equal(t, 204, code)
	require.Equal(t, "up{} 1\n", s.Exposition())
	c.at = c.at.Add(10 * time.Second)
	require.Empty(t, s.Exposition(), "a drill that was killed renews nothing")

	require.NoError(t, s.Set("two", []Series{{Labels: map[string]string{"__name__": "up"}, Value: 1}}, time.Minute))
	code, _ = call(t, s, "DELETE", "/drill/series/two", "")
	require.Equal(t, 204, code)
	require.Empty(t, s.Exposition())
}

func TestWhatCannotBeExposedIsRefused(t *testing.T) {
	c := &clock{time.Unix(1000, 0)}
	s := New("", c.now)
	require.NoError(t, s.Set("first", []Series{{Labels: map[string]string{"__name__": "up", "job": "a"}}}, time.Minute))
	for want, body := range map[string]string{
		"not a valid metric name":           `{"lease": "10s", "series": [{"labels": {"__name__": "1x"}, "value": 1}]}`,
		"not a valid label name":            `{"lease": "10s", "series": [{"labels": {"__name__": "x", "__y": "z"}, "value": 1}]}`,
		"write a duration from 1s to 5m":    `{"lease": "10h", "series": [{"labels": {"__name__": "x"}, "value": 1}]}`,
		"write a duration such as 15s":      `{"lease": "ten", "series": [{"labels": {"__name__": "x"}, "value": 1}]}`,
		"0 series":                          `{"lease": "10s", "series": []}`,
		"written twice":                     `{"lease": "10s", "series": [{"labels": {"__name__": "x"}, "value": 1}, {"labels": {"__name__": "x"}, "value": 2}]}`,
		"up{job=\"a\"} is written by first": `{"lease": "10s", "series": [{"labels": {"__name__": "up", "job": "a"}, "value": 1}]}`,
		"the body is not valid":             `{"lease": "10s", "serious": []}`,
	} {
		code, text := call(t, s, "PUT", "/drill/series/other", body)
		require.Equal(t, 400, code)
		require.Contains(t, text, want)
	}
	require.Equal(t, "up{job=\"a\"} 0\n", s.Exposition(), "nothing is changed by what is refused")

	mux := http.NewServeMux()
	s.Route(mux)
	r := httptest.NewRequest("PUT", "/drill/series/form", strings.NewReader("lease=10s"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	require.Equal(t, 400, w.Code)
}

func TestOnlyTheProbeIsTakenWhereAlertsAreReal(t *testing.T) {
	s := New(Probe, nil)
	err := s.Set("x", []Series{{Labels: map[string]string{"__name__": "go_threads", "job": "go"}, Value: 99}}, time.Minute)
	require.ErrorContains(t, err, "only lookout_drill")
	require.NoError(t, s.Set("x", []Series{{Labels: map[string]string{"__name__": "lookout_drill", "severity": "critical"}, Value: 1}}, time.Minute))
	require.Equal(t, "lookout_drill{severity=\"critical\"} 1\n", s.Exposition())
}
