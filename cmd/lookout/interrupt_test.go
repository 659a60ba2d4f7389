package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Whatever a command is doing, an interrupt and a termination end it within a second, with an exit code of its own.
func TestEveryCommandStopsWithinASecond(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "lookout")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// Reading from a pipe that stays open and is never written to keeps each command busy for as long as it takes.
	for name, args := range map[string][]string{
		"lint": {"lint", "-"}, "fmt": {"fmt", "-"}, "check": {"check", "--metrics=-", dir}, "render": {"render", "-"},
	} {
		for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			t.Run(name+"/"+signal.String(), func(t *testing.T) {
				cmd := exec.Command(program, args...)
				var stderr bytes.Buffer
				cmd.Stderr = &stderr
				stdin, err := cmd.StdinPipe()
				if err != nil {
					t.Fatal(err)
				}
				defer stdin.Close()
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				// The program reads what is offered here only once it runs, so the handlers are in place.
				if _, err := stdin.Write([]byte(strings.Repeat(" ", 1<<17))); err != nil {
					t.Fatal(err)
				}
				begin := time.Now()
				if err := cmd.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
				_ = cmd.Wait()
				if took := time.Since(begin); took > time.Second {
					t.Errorf("it took %v", took)
				}
				if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
					t.Errorf("exit code %d, want %d\n%s", code, exitInterrupted, stderr.Bytes())
				}
			})
		}
	}
}
