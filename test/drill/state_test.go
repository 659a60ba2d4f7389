package drill

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lookout/internal/rules"
)

// An annotation of one rule is edited while another one's alert of the same group fires: that alert goes on as it was, in Prometheus, in Alertmanager and
// in the chat. Engine grafana: test/content, against the stand-in.
func TestAnAnnotationResetsNoOtherAlert(t *testing.T) {
	long(t)
	t.Parallel()
	c := newChain(t)
	c.start()
	c.expose("state", `{"__name__": "go_threads", "job": "go", "instance": "drill-state"}`, 95)
	type alert struct {
		Labels   map[string]string
		State    string
		ActiveAt time.Time
	}
	firing := func() (found alert, err error) {
		var answer struct{ Data struct{ Alerts []alert } }
		if err := json.Unmarshal([]byte(c.get(c.url("prometheus")+"/api/v1/alerts")), &answer); err != nil {
			return found, err
		}
		for _, a := range answer.Data.Alerts {
			if a.Labels["alertname"] == "ThreadsHigh" && a.Labels["instance"] == "drill-state" && a.State == "firing" {
				return a, nil
			}
		}
		return found, fmt.Errorf("not firing among %v", answer.Data.Alerts)
	}
	chat := func() (n int) {
		var answer struct {
			Messages []struct{ Title, Text string }
		}
		require.NoError(t, json.Unmarshal([]byte(c.get(c.url("robot")+"/api/messages")), &answer))
		for _, m := range answer.Messages {
			if strings.Contains(m.Text, "drill-state") && strings.Contains(m.Text, "ThreadsHigh") {
				n++
			}
		}
		return n
	}
	c.eventually(time.Minute, "the alert is in the chat", func() error {
		if chat() == 0 {
			return errors.New("no message")
		}
		return nil
	})
	before, err := firing()
	require.NoError(t, err)
	told := chat()

	edit := func(old, new string) {
		c.t.Helper()
		files, _ := c.files()
		data, err := rules.Export(files, rules.Target{Environment: "local"})
		require.NoError(t, err)
		changed := strings.Replace(string(data), old, new, 1)
		require.NotEqual(t, string(data), changed)
		c.write("rules.yml", changed)
		require.NoError(t, c.procs["prometheus"].Process.Signal(syscall.SIGHUP))
		c.eventually(30*time.Second, "the edited rule runs and was evaluated", func() error {
			text := c.get(c.url("prometheus") + "/api/v1/rules")
			if !strings.Contains(text, "edited") {
				return errors.New("the rule is still the old one")
			}
			return nil
		})
	}
	// The texts are the same for all rules: the second one is ErrorsMany's.
	i := "alert: ErrorsMany"
	files, _ := c.files()
	data, err := rules.Export(files, rules.Target{Environment: "local"})
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(data), i)
	require.True(t, ok)
	rest, _, _ = strings.Cut(rest, "- alert:")
	edit(i+rest, i+strings.Replace(rest, "summary: ", "summary: edited ", 1))

	// For some evaluations and some turns of Alertmanager's.
	deadline := time.Now().Add(4 * time.Second)
	c.eventually(30*time.Second, "it goes on firing for a while", func() error {
		now, err := firing()
		require.NoError(t, err, "it was reset")
		require.True(t, now.ActiveAt.Equal(before.ActiveAt), "it was reset: active since %s, before %s", now.ActiveAt, before.ActiveAt)
		if time.Now().Before(deadline) {
			return errors.New("not long enough")
		}
		return nil
	})
	require.Equal(t, told, chat(), "the chat was told again")

	// The control: a label of its own rule does reset it, so this test would notice.
	edit("lookout_env: local\n          severity: warning", "lookout_env: edited\n          severity: warning")
	c.eventually(30*time.Second, "it begins anew", func() error {
		now, err := firing()
		if err == nil && now.ActiveAt.Equal(before.ActiveAt) && now.Labels["lookout_env"] == "local" {
			err = errors.New("still the same alert")
		}
		return err
	})
	req, err := http.NewRequest(http.MethodDelete, c.url("console")+"/drill/series/state", nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	resp.Body.Close()
}
