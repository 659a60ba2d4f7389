package console_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lookout/internal/browsertest"
	"lookout/internal/console"
)

const evil = `"><script>document.title='hit'</script><img src=x onerror="document.title='hit'"><svg onload="document.title='hit'">`

// evilBoard has script in every text of a dashboard.
func evilBoard() string {
	q := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	e := q(evil)
	return `{"uid":"evil","title":` + e + `,"tags":[` + e + `],"schemaVersion":39,"time":{"from":"now-1h","to":"now"},
 "links":[{"type":"link","title":` + e + `,"url":"javascript:document.title='hit'"},{"type":"link","title":` + e + `,"url":"https://example.com/` + `\"onclick=alert(1)` + `"}],
 "templating":{"list":[{"name":"v","label":` + e + `,"type":"custom","query":` + q(strings.ReplaceAll(evil, ",", `\,`)) + `,"multi":true,"includeAll":true,"current":{"value":` + e + `,"text":` + e + `}}]},
 "panels":[{"id":1,"type":"timeseries","title":` + e + `,"description":` + e + `,"gridPos":{"w":12,"h":8,"x":0,"y":0},"links":[{"title":` + e + `,"url":"javascript:document.title='hit'"},{"title":"data","url":"data:text/html,<script>alert(1)</script>"}],
   "targets":[{"refId":"A","expr":"up","legendFormat":` + q("{{evil}} "+evil) + `}]},
  {"id":2,"type":"text","title":` + e + `,"gridPos":{"w":12,"h":8,"x":12,"y":0},"options":{"mode":"html","content":` + e + `}},
  {"id":3,"type":"table","title":` + e + `,"gridPos":{"w":12,"h":8,"x":0,"y":8},"targets":[{"refId":"A","expr":"up","format":"table","instant":true}]},
  {"id":4,"type":"stat","title":` + e + `,"gridPos":{"w":12,"h":8,"x":12,"y":8},"targets":[{"refId":"A","expr":"up","legendFormat":` + e + `}],"fieldConfig":{"defaults":{"unit":` + e + `,"displayName":` + e + `}}},
  {"id":5,"type":` + e + `,"title":` + e + `,"gridPos":{"w":12,"h":8,"x":0,"y":16},"targets":[{"refId":"A","expr":` + e + `}]},
  {"id":6,"type":"row","title":` + e + `,"gridPos":{"w":24,"h":1,"x":0,"y":24},"collapsed":false}]}`
}

// evilPrometheus has script in every label and annotation.
func evilPrometheus(t *testing.T) *httptest.Server {
	q := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	e := q(evil)
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := time.Now().Unix()
		w.Header().Set("Content-Type", "application/json")
		set := `{"__name__":"up","evil":` + e + `,"job":` + e + `,"alertstate":"firing"}`
		switch {
		case strings.HasSuffix(r.URL.Path, "/query_range"):
			fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":%s,"values":[[%d,"1"],[%d,"2"]]}]}}`, set, now-120, now-60)
		case strings.HasSuffix(r.URL.Path, "/query"):
			fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":%s,"value":[%d,"1"]}]}}`, set, now)
		case strings.HasSuffix(r.URL.Path, "/rules"):
			fmt.Fprintf(w, `{"status":"success","data":{"groups":[{"name":%[1]s,"file":%[1]s,"interval":1,"rules":[{"type":"alerting","name":"Evil","query":%[1]s,"duration":0,"labels":{"severity":%[1]s},
				"annotations":{"summary":%[1]s,"description":%[1]s,"runbook_url":"javascript:document.title='hit'","panel_url":"javascript:document.title='hit'//d/evil?viewPanel=1","value":%[1]s},
				"health":"err","lastError":%[1]s,"state":"firing","evaluationTime":0.1,"lastEvaluation":"2026-01-01T00:00:00Z",
				"alerts":[{"labels":{"alertname":"Evil","x":%[1]s},"annotations":{"summary":%[1]s,"description":%[1]s,"runbook_url":"javascript:document.title='hit'","panel_url":"javascript:x"},"state":"firing","activeAt":"2026-01-01T00:00:00Z","value":"1"}]}]}]}}`, e)
		case strings.HasSuffix(r.URL.Path, "/targets"):
			fmt.Fprintf(w, `{"status":"success","data":{"activeTargets":[{"labels":{"job":%[1]s},"scrapePool":%[1]s,"scrapeUrl":%[1]s,"lastError":%[1]s,"lastScrape":"2026-01-01T00:00:00Z","health":"down"}],"droppedTargets":[]}}`, e)
		default:
			fmt.Fprintf(w, `{"status":"success","data":[%s]}`, e)
		}
	}))
}

func evilAlertmanager() *httptest.Server {
	q := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/silences") {
			fmt.Fprintf(w, `[{"id":%[1]s,"status":{"state":"active"},"comment":%[1]s,"createdBy":%[1]s,"startsAt":"2026-01-01T00:00:00Z","endsAt":"2036-01-01T00:00:00Z","matchers":[{"name":%[1]s,"value":%[1]s,"isRegex":false}]}]`, q(evil))
			return
		}
		fmt.Fprint(w, "[]")
	}))
}

func TestScriptInEveryTextStaysText(t *testing.T) {
	t.Parallel()
	prom, am := evilPrometheus(t), evilAlertmanager()
	defer prom.Close()
	defer am.Close()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "evil.json"), []byte(evilBoard()), 0o644))
	books := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(books, "evil.md"), []byte("# "+evil+"\n\n"+evil+"\n\n[x](javascript:alert(1))\n\n<iframe src=//example.com></iframe>"), 0o644))
	c := startConsole(t, console.Config{Paths: []string{dir}, Prometheus: prom.URL, Alertmanager: am.URL, Runbooks: books, Location: time.UTC})
	b := browsertest.Open(t, "en-US")
	b.Size(1400, 1200, false)
	e := url.QueryEscape(evil)
	for _, page := range []string{
		"/", "/dashboards?q=" + e, "/d/evil", "/d/evil?viewPanel=1", "/d/evil?var-v=" + e + "&from=" + e + "&show-1=" + e, "/d-solo/evil/x?panelId=1", "/changes/evil",
		"/alerts", "/alerts?q=" + e, "/alerts/Evil", "/silences", "/silences/new?matcher=" + url.QueryEscape(`a="`+strings.ReplaceAll(evil, `"`, `\"`)+`"`) + "&comment=" + e, "/targets", "/runbooks", "/runbooks/evil",
	} {
		b.Open(c.url + page)
		if strings.HasPrefix(page, "/d") && !strings.HasPrefix(page, "/dashboards") {
			b.Until(drawn)
		}
		assert.NotEqual(t, "hit", b.Eval(`document.title`), page)
		assert.Equal(t, "0", b.Eval(`document.querySelectorAll("script:not([src]), img[onerror], [onload], [onclick], iframe").length`), page)
		assert.Equal(t, "0", b.Eval(`[...document.querySelectorAll("a")].filter(a => !["http:", "https:", "mailto:"].includes(a.protocol)).length`), page)
		assert.Empty(t, b.Complaints(), page)
	}
	// The text is there, as text.
	b.Open(c.url + "/d/evil")
	b.Until(drawn)
	b.Until(`document.querySelector("#p-1 .legend").innerText.includes("onerror")`)
	assert.Equal(t, "true", b.Eval(`document.querySelector("h1").innerText.includes("<script>")`))
	assert.Equal(t, "true", b.Eval(`document.querySelector("#p-3 td").innerText.length > 0`))
	// Pointing, too.
	for _, path := range []string{"/values/evil/1?w=400", "/picture/evil/1?w=400&h=200", "/panels/evil?p=1:400x200", "/findings/evil"} {
		resp, err := http.Get(c.url + path)
		require.NoError(t, err)
		resp.Body.Close()
		assert.NotContains(t, resp.Header.Get("Content-Type"), "html", path)
		assert.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"), path)
	}
}

func TestOnlyTheConsolesOwnFormsChangeSomething(t *testing.T) {
	t.Parallel()
	var changed atomic.Int32
	am := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			changed.Add(1)
		}
		w.Header().Set("Content-Type", "application/json")
		if strings.Contains(r.URL.Path, "/silence/") {
			fmt.Fprint(w, `{"id":"x","status":{"state":"active"},"comment":"","createdBy":"","startsAt":"2026-01-01T00:00:00Z","endsAt":"2036-01-01T00:00:00Z","matchers":[]}`)
			return
		}
		if r.Method == http.MethodPost {
			fmt.Fprint(w, `{"silenceID":"x"}`)
			return
		}
		fmt.Fprint(w, `[]`)
	}))
	defer am.Close()
	c := startConsole(t, console.Config{Paths: []string{"../../dashboards"}, Alertmanager: am.URL})
	form := url.Values{"name": {"alertname"}, "op": {"="}, "value": {"A"}, "for": {"2h"}, "who": {"me"}}
	send := func(path string, change func(*http.Request)) int {
		t.Helper()
		req, err := http.NewRequest(http.MethodPost, c.url+path, strings.NewReader(form.Encode()))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		change(req)
		client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		resp, err := client.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode
	}
	// A page of the console gives the cookie and the token.
	resp, err := http.Get(c.url + "/silences/new")
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	resp.Body.Close()
	_, after, _ := strings.Cut(string(body), `name="token" value="`)
	token, _, _ := strings.Cut(after, `"`)
	require.Len(t, token, 64)
	cookie := resp.Cookies()[0]
	assert.True(t, cookie.HttpOnly)
	assert.Equal(t, http.SameSiteStrictMode, cookie.SameSite)

	paths := []string{"/silences/new", "/silences/x/extend", "/silences/x/expire"}
	for _, p := range paths {
		assert.Equal(t, http.StatusForbidden, send(p, func(*http.Request) {}), "no token: %s", p)
		assert.Equal(t, http.StatusForbidden, send(p, func(r *http.Request) { r.AddCookie(cookie) }), "a cookie alone: %s", p)
		form.Set("token", token)
		assert.Equal(t, http.StatusForbidden, send(p, func(*http.Request) {}), "a token alone: %s", p)
		assert.Equal(t, http.StatusForbidden, send(p, func(r *http.Request) {
			r.AddCookie(&http.Cookie{Name: cookie.Name, Value: strings.Repeat("0", 32)})
		}), "another's cookie: %s", p)
		for _, h := range [][2]string{{"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}} {
			assert.Equal(t, http.StatusForbidden, send(p, func(r *http.Request) {
				r.AddCookie(cookie)
				r.Header.Set(h[0], h[1])
			}), "%v: %s", h, p)
		}
		assert.Equal(t, http.StatusUnsupportedMediaType, send(p, func(r *http.Request) {
			r.AddCookie(cookie)
			r.Header.Set("Content-Type", "text/plain")
		}), p)
		form.Del("token")
	}
	assert.Zero(t, changed.Load(), "something was changed")
	form.Set("token", token)
	for _, p := range paths {
		assert.Equal(t, http.StatusSeeOther, send(p, func(r *http.Request) { r.AddCookie(cookie) }), p)
	}
	assert.EqualValues(t, 3, changed.Load())
	code, _, err := get(c.url + "/silences/x/expire")
	require.NoError(t, err)
	assert.Equal(t, http.StatusNotFound, code, "a link cannot change anything")
}

func TestHostsThatTheConsoleDoesNotGoBy(t *testing.T) {
	t.Parallel()
	c := startConsole(t, console.Config{Paths: []string{"../../dashboards"}, ExternalURL: "https://watch.example.com/lookout"})
	for host, want := range map[string]int{
		"evil.example": http.StatusMisdirectedRequest, "127.0.0.1.evil.example": http.StatusMisdirectedRequest, "10.0.0.1:8090": http.StatusMisdirectedRequest, "": http.StatusOK,
		"localhost:1": http.StatusOK, "127.0.0.1": http.StatusOK, "[::1]:8090": http.StatusOK, "watch.example.com": http.StatusOK, "WATCH.example.com:443": http.StatusOK,
	} {
		req, err := http.NewRequest(http.MethodGet, c.url+"/lookout/dashboards", nil)
		require.NoError(t, err)
		if host != "" {
			req.Host = host
		}
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, want, resp.StatusCode, host)
		req.URL.Path = "/metrics"
		resp, err = http.DefaultClient.Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, http.StatusOK, resp.StatusCode, "scrapes come by any name")
	}
	_, body, err := get(c.url + "/lookout/")
	require.NoError(t, err)
	assert.Contains(t, body, `href="/lookout/d/go-runtime"`)
	assert.NotContains(t, body, `href="/d/`)
	resp, err := http.Get(c.url + "/lookout/dashboards")
	require.NoError(t, err)
	resp.Body.Close()
	csp := resp.Header.Get("Content-Security-Policy")
	assert.Contains(t, csp, "default-src 'none'")
	assert.NotContains(t, csp, "unsafe")
}

func TestPathsThatLeadOut(t *testing.T) {
	t.Parallel()
	dir, books := t.TempDir(), t.TempDir()
	secret := filepath.Join(dir, "secret.md")
	require.NoError(t, os.WriteFile(secret, []byte("the secret"), 0o600))
	require.NoError(t, os.Symlink(secret, filepath.Join(books, "link.md")))
	require.NoError(t, os.WriteFile(filepath.Join(books, "book.md"), []byte("# Book\ntext"), 0o600))
	c := startConsole(t, console.Config{Paths: []string{"../../dashboards"}, Runbooks: books})
	for _, p := range []string{
		"/runbooks/../secret", "/runbooks/..%2f..%2fsecret", "/runbooks/%2e%2e/secret", "/runbooks/link", "/runbooks/..", "/runbooks//etc/passwd", "/runbooks/%00", "/runbooks/.hidden",
		"/static/../server.go", "/static/..%2fserver.go", "/static/%2e%2e/templates/_layout.html", "/d/..%2f..%2fetc%2fpasswd", "/d/../../etc/passwd", "/changes/..%2fgo", "/picture/go-runtime/..%2f3", "/findings/..%2f..",
	} {
		req, err := http.NewRequest(http.MethodGet, c.url, nil)
		require.NoError(t, err)
		req.URL.Opaque = "//" + req.URL.Host + p // as it is, not cleaned
		resp, err := http.DefaultTransport.RoundTrip(req)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		resp.Body.Close()
		assert.NotEqual(t, http.StatusOK, resp.StatusCode, p)
		assert.NotContains(t, string(body), "the secret", p)
	}
	code, body, err := get(c.url + "/runbooks/book")
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, code)
	assert.Contains(t, body, "text")
}

// hostile serves what a Prometheus should not.
func hostile(t *testing.T, answer http.HandlerFunc) *running {
	t.Helper()
	srv := httptest.NewUnstartedServer(answer)
	srv.Start()
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	return startConsole(t, console.Config{Paths: []string{"../../dashboards"}, Prometheus: srv.URL, Alertmanager: srv.URL, Location: time.UTC})
}

// within gets a page and insists that it comes in time.
func within(t *testing.T, limit time.Duration, address string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if !assert.NoError(t, err) {
		return ""
	}
	began := time.Now()
	resp, err := http.DefaultClient.Do(req)
	if !assert.NoError(t, err, address) {
		return ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	assert.NoError(t, err, address)
	assert.Equal(t, http.StatusOK, resp.StatusCode, "%s: %s", address, body)
	t.Logf("%s in %v", address, time.Since(began).Round(time.Millisecond))
	return string(body)
}

func TestAPrometheusThatIsSlowGoneOrTalksNonsense(t *testing.T) {
	t.Parallel()
	// All pages at once, as impatient readers do. Each page waits 2 s for Prometheus at most; how long it took is in the log, since a loaded machine adds to it.
	everywhere := func(t *testing.T, c *running, says string) {
		t.Helper()
		var wg sync.WaitGroup
		for path, want := range map[string]string{
			"/d/go-runtime": says, "/panels/go-runtime?p=1:400x200&p=3:400x200": says, "/picture/go-runtime/3?w=400&h=200": "<svg", "/targets": says, "/alerts": "notice error",
			"/silences": "notice error", "/silences/new": "<form", "/dashboards": "Go runtime", "/runbooks": "Runbooks", "/values/go-runtime/3": "times",
		} {
			wg.Go(func() { assert.Contains(t, within(t, 10*time.Second, c.url+path), want) })
		}
		wg.Wait()
	}
	t.Run("slow", func(t *testing.T) {
		stop := make(chan struct{})
		c := hostile(t, func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-stop:
			case <-r.Context().Done():
			}
		})
		t.Cleanup(func() { close(stop) })
		everywhere(t, c, "has not answered for 2 s")
	})
	t.Run("gone", func(t *testing.T) {
		c := startConsole(t, console.Config{Paths: []string{"../../dashboards"}, Prometheus: "http://127.0.0.1:1", Alertmanager: "http://127.0.0.1:1", Location: time.UTC})
		everywhere(t, c, "connection refused")
	})
	t.Run("nonsense", func(t *testing.T) {
		for _, text := range []string{"", "<html>not me</html>", "{}", `{"status":"success","data":7}`, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[["x","y"]]}]}}`, strings.Repeat("[", 100_000)} {
			c := hostile(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) })
			for _, p := range []string{"/d/go-runtime", "/panels/go-runtime?p=1:400x200&p=3:400x200", "/targets", "/alerts", "/silences", "/alerts/X?range=1h"} {
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+p, nil)
				require.NoError(t, err)
				resp, err := http.DefaultClient.Do(req)
				require.NoError(t, err, p)
				_, err = io.Copy(io.Discard, resp.Body)
				require.NoError(t, err)
				resp.Body.Close()
				cancel()
				assert.Less(t, resp.StatusCode, 500, "%s with %.20q", p, text)
			}
		}
	})
	t.Run("1 GB", func(t *testing.T) {
		var sent atomic.Int64
		chunk := bytes.Repeat([]byte(`{"metric":{"a":"b"},"values":[[1,"1"]]},`), 2000)
		c := hostile(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"status":"success","data":{"resultType":"matrix","result":[`)
			total := int64(0)
			for range (1 << 30) / len(chunk) {
				n, err := w.Write(chunk)
				total += int64(n)
				if err != nil {
					break
				}
			}
			if total > sent.Load() {
				sent.Store(total)
			}
			fmt.Fprint(w, `]}}`)
		})
		// It takes longer than a page waits on a machine that is short of time; then the page asks again.
		eventually(t, time.Minute, func() error {
			line := within(t, 10*time.Second, c.url+"/panels/go-runtime?p=3:400x200")
			if !strings.Contains(line, "an answer of more than 16 MiB") || !strings.Contains(line, "too expensive") {
				return fmt.Errorf("it says %s", line)
			}
			return nil
		})
		assert.Less(t, sent.Load(), int64(100<<20), "it was read on")
	})
}

// A thousand readers at once: each gets the page, and Prometheus is asked once for all.
func TestAThousandReaders(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	c := hostile(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		now := time.Now().Unix()
		switch {
		case strings.HasSuffix(r.URL.Path, "/query_range"):
			asked.Add(1)
			fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"instance":"a"},"values":[[%d,"1"],[%d,"2"]]}]}}`, now-120, now-60)
		case strings.HasSuffix(r.URL.Path, "/query"):
			fmt.Fprint(w, `{"status":"success","data":{"resultType":"vector","result":[]}}`)
		case strings.HasSuffix(r.URL.Path, "/rules"):
			fmt.Fprint(w, `{"status":"success","data":{"groups":[]}}`)
		case strings.Contains(r.URL.Path, "/v2/"):
			fmt.Fprint(w, `[]`)
		default:
			fmt.Fprint(w, `{"status":"success","data":["a"]}`)
		}
	})
	client := &http.Client{Timeout: 4 * time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 1000}}
	var wg sync.WaitGroup
	var failed atomic.Int64
	const range_ = "from=1700000000000&to=1700003600000"
	for range 1000 {
		wg.Go(func() {
			for _, p := range []string{"/d/go-runtime?" + range_, "/panels/go-runtime?" + range_ + "&p=1:400x200&p=3:400x200"} {
				// What is too busy says to come again, and a panel that was too slow is asked for again, as a page does.
				for {
					resp, err := client.Get(c.url + p)
					if err != nil {
						failed.Add(1)
						return
					}
					body, err := io.ReadAll(resp.Body)
					resp.Body.Close()
					if err == nil && (resp.StatusCode == http.StatusServiceUnavailable || bytes.Contains(body, []byte(`"slow":true`))) {
						continue
					}
					if err != nil || resp.StatusCode != http.StatusOK || len(body) < 500 {
						failed.Add(1)
					}
					break
				}
			}
		})
	}
	// And a thousand that follow the file.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var following atomic.Int64
	for range 1000 {
		go func() {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/events?uid=go-runtime", nil)
			if err != nil {
				return
			}
			resp, err := client.Transport.RoundTrip(req)
			if err != nil {
				return
			}
			defer resp.Body.Close()
			if _, err := resp.Body.Read(make([]byte, 10)); err == nil {
				following.Add(1)
			}
			<-ctx.Done()
		}()
	}
	wg.Wait()
	assert.Zero(t, failed.Load(), "readers without a page")
	eventually(t, 2*time.Minute, func() error {
		if n := following.Load(); n != 1000 {
			return fmt.Errorf("%d of 1000 follow", n)
		}
		return nil
	})
	assert.Less(t, asked.Load(), int64(20), "Prometheus was asked again and again")
}
