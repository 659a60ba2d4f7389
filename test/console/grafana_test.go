// Package console holds the console against what only the tests of this tree may use: the stand-in for Grafana.
package console_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lookout/internal/alertmanager"
	"lookout/internal/console"
	"lookout/test/internal/grafana"
)

// Where Grafana's engine evaluates the alerts, silences are made, extended and ended in it.
func TestASilenceInGrafanasEngine(t *testing.T) {
	_, address := grafana.Start(t, grafana.Options{Password: "s3cret"})
	login := filepath.Join(t.TempDir(), "login")
	require.NoError(t, os.WriteFile(login, []byte("admin:s3cret\n"), 0o600))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s, err := console.New(console.Config{Paths: []string{"../../dashboards"}, Grafana: address, GrafanaBasicAuthFile: login, Listen: listener.Addr().String()})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, listener) }()
	t.Cleanup(func() { cancel(); require.NoError(t, <-done) })
	base := "http://" + listener.Addr().String()

	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	client := &http.Client{Jar: jar}
	read := func(resp *http.Response, err error) string {
		t.Helper()
		require.NoError(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, resp.StatusCode, string(body))
		return string(body)
	}
	token := func(page string) string {
		_, after, _ := strings.Cut(page, `name="token" value="`)
		word, _, _ := strings.Cut(after, `"`)
		return word
	}
	// Grafana's own link leads to the form, filled in.
	form := read(client.Get(base + "/alerting/silence/new?alertmanager=grafana&matcher=alertname%3DGoThreadsHigh&matcher=instance%3Dgo1"))
	assert.Contains(t, form, `value="GoThreadsHigh"`)
	page := read(client.PostForm(base+"/silences/new", url.Values{
		"token": {token(form)}, "name": {"alertname", "instance"}, "op": {"=", "=~"}, "value": {"GoThreadsHigh", "go1|go2"}, "for": {"2h"}, "who": {"zhang"}, "why": {"换磁盘"},
	}))
	assert.Contains(t, page, "换磁盘")

	am, err := alertmanager.New(strings.Replace(address, "://", "://admin:s3cret@", 1)+"/api/alertmanager/grafana", nil, 5*time.Second)
	require.NoError(t, err)
	active := func() []alertmanager.Silence {
		t.Helper()
		list, err := am.Silences(context.Background())
		require.NoError(t, err)
		var out []alertmanager.Silence
		for _, s := range list {
			if s.State() == "active" {
				out = append(out, s)
			}
		}
		return out
	}
	list := active()
	require.Len(t, list, 1)
	assert.Equal(t, "zhang", list[0].CreatedBy)
	assert.Equal(t, "换磁盘", list[0].Comment)
	assert.True(t, list[0].Matches(map[string]string{"alertname": "GoThreadsHigh", "instance": "go2"}))
	assert.False(t, list[0].Matches(map[string]string{"alertname": "GoThreadsHigh", "instance": "go3"}))
	assert.InDelta(t, 2*time.Hour, time.Until(list[0].EndsAt), float64(time.Minute))

	read(client.PostForm(base+"/silences/"+list[0].ID+"/extend", url.Values{"token": {token(page)}}))
	list = active()
	require.Len(t, list, 1)
	assert.InDelta(t, 4*time.Hour, time.Until(list[0].EndsAt), float64(time.Minute))
	read(client.PostForm(base+"/silences/"+list[0].ID+"/expire", url.Values{"token": {token(page)}}))
	assert.Empty(t, active())

	// A wrong login is said where the silences would be.
	require.NoError(t, os.WriteFile(login, []byte("admin:wrong"), 0o600))
	assert.Contains(t, read(client.Get(base+"/silences")), "notice error")
}
