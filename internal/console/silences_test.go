package console_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lookout/internal/alertmanager"
	"lookout/internal/console"
)

// reader is a browser without a script.
type reader struct {
	t      *testing.T
	client *http.Client
	base   string
}

func newReader(t *testing.T, base string) *reader {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &reader{t, &http.Client{Jar: jar}, base}
}

func (r *reader) get(path string) string {
	r.t.Helper()
	resp, err := r.client.Get(r.base + path)
	require.NoError(r.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(r.t, err)
	return string(body)
}

// post sends a form with the token of the page that it is on.
func (r *reader) post(page, path string, form url.Values) (int, string) {
	r.t.Helper()
	_, after, _ := strings.Cut(r.get(page), `name="token" value="`)
	token, _, _ := strings.Cut(after, `"`)
	form.Set("token", token)
	resp, err := r.client.PostForm(r.base+path, form)
	require.NoError(r.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(r.t, err)
	return resp.StatusCode, string(body)
}

// A silence made in the console holds: the chat hears of neither firing nor recovery, and a restart of Alertmanager changes nothing.
func TestASilenceHolds(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var heard []string
	chat := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var m struct {
			Alerts []struct {
				Status string
				Labels map[string]string
			}
		}
		if json.NewDecoder(r.Body).Decode(&m) == nil {
			mu.Lock()
			defer mu.Unlock()
			for _, a := range m.Alerts {
				heard = append(heard, a.Labels["alertname"]+" "+a.Status)
			}
		}
	}))
	defer chat.Close()
	dir, addr := t.TempDir(), freePort(t)
	config := filepath.Join(dir, "am.yml")
	require.NoError(t, os.WriteFile(config, []byte(`
route: {receiver: chat, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
receivers: [{name: chat, webhook_configs: [{url: "`+chat.URL+`", send_resolved: true}]}]
`), 0o644))
	start := func() func() {
		cmd := process(t, binary(t, "alertmanager"), "--config.file="+config, "--storage.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr, "--cluster.listen-address=", "--log.level=warn")
		eventually(t, 30*time.Second, healthy("http://"+addr+"/-/ready"))
		return func() {
			require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
			_ = cmd.Wait()
		}
	}
	stop := start()
	c := startConsole(t, console.Config{Paths: []string{"../../dashboards"}, Alertmanager: "http://" + addr})
	r := newReader(t, c.url)
	code, body := r.post("/silences/new", "/silences/new", url.Values{"name": {"alertname"}, "op": {"="}, "value": {"Silenced"}, "for": {"2h"}, "who": {"李雷"}, "why": {"upgrade"}})
	require.Equal(t, http.StatusOK, code, body)
	require.Contains(t, body, "李雷")

	send := func(name string, firing bool) {
		t.Helper()
		end := time.Now().Add(time.Hour)
		if !firing {
			end = time.Now().Add(-time.Second)
		}
		data, err := json.Marshal([]map[string]any{{"labels": map[string]string{"alertname": name}, "startsAt": time.Now().Add(-time.Minute), "endsAt": end}})
		require.NoError(t, err)
		resp, err := http.Post("http://"+addr+"/api/v2/alerts", "application/json", bytes.NewReader(data))
		require.NoError(t, err)
		resp.Body.Close()
		require.Equal(t, http.StatusOK, resp.StatusCode)
	}
	said := func(want string) {
		t.Helper()
		eventually(t, 30*time.Second, func() error {
			mu.Lock()
			defer mu.Unlock()
			for _, h := range heard {
				if h == want {
					return nil
				}
			}
			return fmt.Errorf("the chat heard %q, not %q", heard, want)
		})
	}
	// Each time another alert that is heard shows that the silenced one would have been.
	send("Silenced", true)
	send("Loud", true)
	said("Loud firing")
	eventually(t, 10*time.Second, func() error {
		if !strings.Contains(r.get("/alerts"), `class="alert silenced`) {
			return fmt.Errorf("the alert is not shown as silenced")
		}
		return nil
	})
	stop()
	stop = start()
	send("Silenced", true)
	send("Loud", true)
	send("Louder", true)
	said("Louder firing")
	assert.Contains(t, r.get("/silences"), "李雷")
	send("Silenced", false)
	send("Louder", false)
	said("Louder resolved")
	mu.Lock()
	for _, h := range heard {
		assert.NotContains(t, h, "Silenced")
	}
	mu.Unlock()
	stop()
}

func TestAFormThatCannotBeMeant(t *testing.T) {
	t.Parallel()
	addr := freePort(t)
	runAlertmanager(t, t.TempDir(), addr, "http://127.0.0.1:8090")
	c := startConsole(t, console.Config{Paths: []string{"../../dashboards"}, Alertmanager: "http://" + addr, Location: time.UTC})
	r := newReader(t, c.url)
	for name, form := range map[string]struct {
		values url.Values
		says   string
	}{
		"no label":           {url.Values{"name": {""}, "op": {"="}, "value": {""}, "for": {"2h"}}, "would silence everything"},
		"value alone":        {url.Values{"name": {""}, "op": {"="}, "value": {"x"}, "for": {"2h"}}, "A value without a label"},
		"matches everything": {url.Values{"name": {"a"}, "op": {"=~"}, "value": {".*"}, "for": {"2h"}}, "at least one must demand something"},
		"regular expression": {url.Values{"name": {"a"}, "op": {"=~"}, "value": {"("}, "for": {"2h"}}, "not a valid regular expression"},
		"operator":           {url.Values{"name": {"a"}, "op": {"<"}, "value": {"b"}, "for": {"2h"}}, "not a valid operator"},
		"no duration":        {url.Values{"name": {"a"}, "op": {"="}, "value": {"b"}}, "Choose how long"},
		"the past":           {url.Values{"name": {"a"}, "op": {"="}, "value": {"b"}, "for": {"own"}, "ends": {"2020-01-01T00:00"}}, "end before it begins"},
		"for ever":           {url.Values{"name": {"a"}, "op": {"="}, "value": {"b"}, "for": {"own"}, "ends": {"2099-01-01T00:00"}}, "more than a year"},
		"no time":            {url.Values{"name": {"a"}, "op": {"="}, "value": {"b"}, "for": {"own"}, "ends": {"soon"}}, "not a valid end"},
	} {
		code, body := r.post("/silences/new", "/silences/new", form.values)
		assert.Equal(t, http.StatusUnprocessableEntity, code, name)
		assert.Contains(t, body, form.says, name)
	}
	client, err := alertmanager.New("http://"+addr, nil, 5*time.Second)
	require.NoError(t, err)
	list, err := client.Silences(context.Background())
	require.NoError(t, err)
	assert.Empty(t, list, "something was silenced")

	// Until tomorrow nine o'clock where the reader is, and an end of one's own.
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	require.NoError(t, err)
	code, body := r.post("/silences/new", "/silences/new", url.Values{"name": {"a"}, "op": {"="}, "value": {"b"}, "for": {"tomorrow"}, "tz": {"Asia/Shanghai"}})
	require.Equal(t, http.StatusOK, code, body)
	own := time.Now().In(shanghai).Add(90 * time.Minute).Truncate(time.Minute)
	code, body = r.post("/silences/new", "/silences/new", url.Values{"name": {"c"}, "op": {"="}, "value": {"d"}, "for": {"own"}, "ends": {own.Format("2006-01-02T15:04")}, "tz": {"Asia/Shanghai"}})
	require.Equal(t, http.StatusOK, code, body)
	list, err = client.Silences(context.Background())
	require.NoError(t, err)
	require.Len(t, list, 2)
	for _, s := range list {
		ends := s.EndsAt.In(shanghai)
		if s.Matchers[0].Name == "a" {
			now := time.Now().In(shanghai)
			assert.Equal(t, time.Date(now.Year(), now.Month(), now.Day()+1, 9, 0, 0, 0, shanghai).String(), ends.String())
		} else {
			assert.Equal(t, own.String(), ends.String())
		}
	}
}
