package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lookout/app/robot/robot"
)

// startProgram runs the real program until the test ends, and returns its address.
func startProgram(t *testing.T, args ...string) (addr string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, append([]string{"--listen=127.0.0.1:0", "--log-format=json"}, args...), io.Discard, w)
		w.Close()
	}()
	addrs := make(chan string, 1)
	go func() {
		defer close(addrs)
		//lint:ignore scannererr without a line the test fails
		lines := bufio.NewScanner(r)
		for lines.Scan() {
			var line struct{ Msg, Address string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "listening" {
				addrs <- line.Address
			}
		}
	}()
	select {
	case addr = <-addrs:
	case <-time.After(30 * time.Second):
	}
	require.NotEmpty(t, addr, "the program did not say where it listens")
	var err error
	stopped := false
	stop = func() error {
		if !stopped {
			stopped = true
			cancel()
			err = <-done
		}
		return err
	}
	t.Cleanup(func() { assert.NoError(t, stop()) })
	return addr, stop
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

func post(t *testing.T, url, body string) string {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	require.NoError(t, err)
	defer resp.Body.Close()
	read, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(read)
}

func TestProgramServesAndStops(t *testing.T) {
	addr, stop := startProgram(t)
	url := "http://" + addr
	assert.JSONEq(t, `{"errcode":0,"errmsg":"ok"}`, post(t, url+"/robot/send?access_token=lookout", `{"msgtype":"text","text":{"content":"报警"}}`))
	for path, want := range map[string]string{
		"/": "报警", "/-/healthy": "ok", "/-/ready": "ok", "/api/messages": `"accepted":true`,
		"/metrics": `robot_calls_total{errcode="0",robot="Lookout"} 1`,
	} {
		code, body := get(t, url+path)
		assert.Equal(t, 200, code, path)
		assert.Contains(t, body, want, path)
	}

	// An open page must not keep the program from stopping in time.
	events, err := http.Get(url + "/api/events")
	require.NoError(t, err)
	defer events.Body.Close()
	start := time.Now()
	require.NoError(t, stop())
	assert.Less(t, time.Since(start), 5*time.Second)
}

func TestFlagsDescribeOneRobot(t *testing.T) {
	addr, _ := startProgram(t, "--access-token=t", "--name=n", "--keyword=alert", "--keyword=恢复, 完", "--per-minute=2", "--window=1h", "--block=2h", "--wording=classic")
	send := func(content string) string {
		return post(t, "http://"+addr+"/robot/send?access_token=t", `{"msgtype":"text","text":{"content":"`+content+`"}}`)
	}
	assert.Contains(t, send("报警"), "keywords not in content")
	assert.Contains(t, send("恢复"), "keywords not in content", "a comma is part of the keyword")
	assert.Contains(t, send("an alert"), `"ok"`)
	assert.Contains(t, send("恢复, 完"), `"ok"`)
	assert.Contains(t, send("an alert"), "130101")
}

func TestSecretComesFromTheEnvironment(t *testing.T) {
	t.Setenv("ROBOT_SECRET", "SEC000")
	addr, _ := startProgram(t, "--keyword=", "--time-zone=UTC")
	answer := post(t, "http://"+addr+"/robot/send?access_token=lookout", `{"msgtype":"text","text":{"content":"x"}}`)
	assert.Contains(t, answer, "签名过期")
}

func TestRobotsFile(t *testing.T) {
	robots, err := readRobots(strings.NewReader(`
robots:
  - {access_token: a, name: keywords, keywords: [报警, alert]}
  - {access_token: b, name: signed, secret: SEC000}
  - {access_token: c, name: internal, allowed_ips: [10.0.0.0/8, 192.168.1.7], state: disabled}
`))
	require.NoError(t, err)
	assert.Equal(t, []robot.Robot{
		{AccessToken: "a", Name: "keywords", Keywords: []string{"报警", "alert"}},
		{AccessToken: "b", Name: "signed", Secret: "SEC000"},
		{AccessToken: "c", Name: "internal", State: robot.Disabled,
			AllowedIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.168.1.7/32")}},
	}, robots)
}

func TestWrongInputGetsOneClearMessage(t *testing.T) {
	busy := httptest.NewServer(http.NotFoundHandler())
	defer busy.Close()
	file := func(content string) string {
		path := filepath.Join(t.TempDir(), "robots.yaml")
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return "--robots-file=" + path
	}
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"--listen=" + busy.Listener.Addr().String()}, "choose a free port"},
		{[]string{"--time-zone=Mars/Base"}, "--time-zone=Mars/Base"},
		{[]string{"--per-minute=0"}, "--per-minute: give something above zero"},
		{[]string{"--block=-1s"}, "--block: give"},
		{[]string{"--allow-ip=10.0.0.300"}, `--allow-ip="10.0.0.300": give an address`},
		{[]string{"--keyword="}, "set keywords, secret or allowed_ips"},
		{[]string{"--wording=latin"}, "--wording"},
		{[]string{"--nonsense"}, "--nonsense"},
		{[]string{"--robots-file=/does/not/exist"}, "no such file"},
		{[]string{file("")}, "no robots"},
		{[]string{file("robots: [{access_token: a, nmae: x}]")}, "nmae"},
		{[]string{file("robots: [{access_token: a, name: x, keywords: [k], allowed_ips: [a]}]")}, `robot x: allowed_ips: "a"`},
		{[]string{file("robots: [{access_token: a, name: x, keywords: [k], state: gone}]")}, `state "gone"`},
	} {
		var stdout, stderr strings.Builder
		err := run(t.Context(), tc.args, &stdout, &stderr)
		require.Error(t, err, "%v", tc.args)
		assert.Contains(t, err.Error(), tc.want)
		assert.NotContains(t, err.Error(), "\n")
	}
}

func TestVersionAndHelpGoToStdout(t *testing.T) {
	for flag, want := range map[string]string{"--version": "robot dev", "--help": "--robots-file"} {
		var stdout, stderr strings.Builder
		require.NoError(t, run(t.Context(), []string{flag}, &stdout, &stderr))
		assert.Contains(t, stdout.String(), want)
		assert.Empty(t, stderr.String())
	}
}

// The README's curl commands do what it says they do.
func TestReadmeCommands(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	addr, _ := startProgram(t)
	ran := 0
	for _, block := range strings.Split(string(readme), "\n\n") {
		_, command, found := strings.Cut("\n"+block, "\n    curl ")
		if !found {
			continue
		}
		command = strings.ReplaceAll("curl -fsS "+command, "127.0.0.1:8060", addr)
		out, err := exec.CommandContext(t.Context(), "sh", "-c", command).CombinedOutput()
		require.NoError(t, err, "%s\n%s", command, out)
		assert.NotContains(t, string(out), "error")
		ran++
	}
	assert.Equal(t, 2, ran)
	_, messages := get(t, "http://"+addr+"/api/messages")
	assert.Contains(t, messages, "报警: hello")
	_, faults := get(t, "http://"+addr+"/api/faults")
	assert.Contains(t, faults, `{"kind":"status","times":3,"percent":100,"status":502}`)
}
