package drill

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lookout/internal/drill"
)

// command is the program on this chain.
func (c *chain) command(args ...string) *exec.Cmd {
	c.t.Helper()
	c.write("admin.token", "admin")
	args = append([]string{"drill", "--prometheus=" + c.url("prometheus"), "--alertmanager=" + c.url("alertmanager"), "--relay=" + c.url("relay"), "--relay-token-file=admin.token",
		"--console=" + c.url("console"), "--patience=20s", "--slack=20s", "--starts=1000"}, args...)
	cmd := exec.Command(program(c.t, "lookout"), args...)
	cmd.Dir = c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

func (c *chain) get(url string) string {
	c.t.Helper()
	resp, err := http.Get(url)
	require.NoError(c.t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(c.t, err)
	return string(data)
}

// untouched tells whether nothing of a drill is left.
func (c *chain) untouched() error {
	if text := c.get(c.url("console") + "/drill/metrics"); text != "" {
		return fmt.Errorf("the console still exposes %s", text)
	}
	if text := c.get(c.url("exporter") + "/faults"); !strings.Contains(text, `"goroutines":0`) {
		return fmt.Errorf("a knob is still turned: %s", text)
	}
	return nil
}

// However a drill ends on its way, what it set off ends too: by itself where it was killed.
func TestADrillThatIsEndedLeavesNothing(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	c.start()
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			c.t = t
			c.eventually(time.Minute, "the chain is quiet", func() error {
				if text := c.get(c.url("prometheus") + "/api/v1/alerts"); strings.Contains(text, "Slow") {
					return errors.New("alerts of before: " + text)
				}
				return c.untouched()
			})
			// Both stay pending for an hour.
			cmd := c.command("--robot="+c.url("robot"), "--exporter="+c.url("exporter"), "--within=2h", "Slow", "KnobbedSlow")
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			require.NoError(t, cmd.Start())
			c.eventually(time.Minute, "series are written and the knob is turned", func() error {
				if text := c.get(c.url("console") + "/drill/metrics"); text == "" {
					return errors.New("no series")
				}
				if text := c.get(c.url("exporter") + "/faults"); !strings.Contains(text, `"goroutines":5000`) {
					return errors.New(text)
				}
				return nil
			})
			require.NoError(t, cmd.Process.Signal(signal))
			_ = cmd.Wait()
			if signal == syscall.SIGKILL {
				require.Error(t, c.untouched(), "what was killed cannot clean up, or this test shows nothing")
				c.eventually(30*time.Second, "the leases end", c.untouched)
				return
			}
			require.Equal(t, 130, cmd.ProcessState.ExitCode(), out.String())
			require.NoError(t, c.untouched(), out.String())
			require.Contains(t, out.String(), "everything was restored")
		})
	}
}

// A dry run proves the way up to people, and no one hears of it; not when it is interrupted either.
func TestADryRunReachesNoOne(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	c.start()
	o := c.options()
	o.DryRun = true
	result := c.drill(t.Context(), o, "ThreadsHigh")[0]
	require.Equal(t, drill.Passed, result.Verdict, result.Words())
	require.True(t, result.DryRun)
	stage := map[string]bool{}
	for _, s := range result.Stages {
		stage[s.Name] = true
	}
	require.True(t, stage["alertmanager"] && stage["held back"] && stage["relay"] && stage["ended"], "%v", result.Stages)
	require.False(t, stage["chat"])

	cmd := c.command("--dry-run", "--robot="+c.url("robot"), "ThreadsHigh")
	require.NoError(t, cmd.Start())
	c.eventually(time.Minute, "the alert is held back", func() error {
		if text := c.get(c.url("alertmanager") + "/api/v2/alerts?silenced=true&active=false"); !strings.Contains(text, "ThreadsHigh") {
			return errors.New(text)
		}
		return nil
	})
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	c.eventually(time.Minute, "the alert is over", func() error {
		if text := c.get(c.url("prometheus") + "/api/v1/alerts"); strings.Contains(text, "ThreadsHigh") {
			return errors.New(text)
		}
		return c.untouched()
	})
	require.NotContains(t, c.get(c.url("robot")+"/api/messages"), "ThreadsHigh")
	var silences []struct{ EndsAt time.Time }
	require.NoError(t, json.Unmarshal([]byte(c.get(c.url("alertmanager")+"/api/v2/silences")), &silences))
	require.NotEmpty(t, silences)
	for _, s := range silences {
		require.Less(t, time.Until(s.EndsAt), 5*time.Minute, "a silence that was left behind ends by itself")
	}
}

// Where messages reach people, nothing but the probe is written, an alert of its own fires in the place of the drilled one, and people are asleep at night.
func TestWhereMessagesReachPeople(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	c.series = "probe"
	for _, name := range []string{"drill.yaml", "drill.test.yaml"} {
		data, err := os.ReadFile(filepath.Join(repository, "alerts", name))
		require.NoError(t, err)
		c.write("alerts/"+name, strings.ReplaceAll(strings.ReplaceAll(string(data), "interval: 20s", "interval: 1s"), "docs/runbooks/drill.md", "https://example.com/"))
	}
	c.start()
	quiet := time.Now().UTC()
	hours := "--quiet-hours=" + quiet.Add(-2*time.Hour).Format("15:04") + "-" + quiet.Add(2*time.Hour).Format("15:04")
	run := func(args ...string) (int, string) {
		cmd := c.command(append([]string{"--zone=UTC"}, args...)...)
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode(), string(out)
	}
	code, out := run(hours, "ThreadsHigh")
	require.Equal(t, 2, code, out)
	require.Contains(t, out, "people sleep")
	code, out = run("--env=prod", "--wake", "ThreadsHigh")
	require.Equal(t, 2, code, out)
	require.Contains(t, out, `the rules that are running are those of "local", and --env is prod`)
	require.Empty(t, c.get(c.url("console")+"/drill/metrics"))
	require.Contains(t, c.get(c.url("robot")+"/api/messages"), `"messages":[]`, "nothing was set off")

	code, out = run(hours, "--wake", "--json", "ThreadsHigh")
	require.Equal(t, 0, code, out)
	var results []drill.Result
	require.NoError(t, json.Unmarshal([]byte(out[strings.Index(out, "["):]), &results), out)
	require.Equal(t, drill.Passed, results[0].Verdict)
	require.Contains(t, results[0].Means, "DrillWarning")
	messages := c.get(c.url("robot") + "/api/messages")
	require.Contains(t, messages, "【演练 Drill】")
	require.Contains(t, messages, "drilled=ThreadsHigh")
	require.NotContains(t, c.get(c.url("prometheus")+"/api/v1/alerts"), `"alertname":"ThreadsHigh"`)
	last, ok, err := drill.Last(c.dir, "local", "ThreadsHigh")
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, drill.Passed, last.Verdict)
}
