package origin

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// machine is a user's: commands run in its checkout, with its environment.
type machine struct {
	repo string
	env  []string
}

func (m machine) run(ctx context.Context, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	if strings.HasPrefix(name, ".cache/") {
		name = filepath.Join(m.repo, name)
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = m.repo
	cmd.Env = append([]string{}, m.env...)
	for _, kv := range os.Environ() {
		// What this test was started with must not decide for the machine.
		key, _, _ := strings.Cut(kv, "=")
		if key == "TERM" || key == "LANG" || key == "TMPDIR" || key == "GOROOT" {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = time.Minute
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// service is a program that runs until the test ends.
type service struct {
	name, log string
	ended     chan struct{}
}

func start(t *testing.T, dir, name string, env []string, program string, args ...string) *service {
	t.Helper()
	s := &service{name: name, log: filepath.Join(dir, name+".log"), ended: make(chan struct{})}
	log, err := os.Create(s.log)
	require.NoError(t, err)
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	require.NoError(t, cmd.Start())
	go func() {
		defer close(s.ended)
		defer log.Close()
		_ = cmd.Wait() // its log says why
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-s.ended:
		case <-time.After(time.Minute):
			t.Errorf("%s did not end within a minute", name)
			_ = cmd.Process.Kill()
			<-s.ended
		}
		if t.Failed() {
			data, _ := os.ReadFile(s.log)
			lines := strings.Split(string(data), "\n")
			t.Logf("end of the log of %s:\n%s", name, strings.Join(lines[max(0, len(lines)-20):], "\n"))
		}
	})
	return s
}

// await polls until a check passes.
func (s *service) await(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			require.NoError(t, err, "%s does not answer", s.name)
		}
		select {
		case <-s.ended:
			data, _ := os.ReadFile(s.log)
			require.FailNow(t, s.name+" ended", "%s", data)
		case <-tick.C:
		}
	}
}

func answers(url string) func() error {
	return func() error {
		resp, err := http.Get(url)
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answered %s", url, resp.Status)
		}
		return nil
	}
}
