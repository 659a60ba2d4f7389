package test

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"lookout/internal/drill"
	"lookout/test/internal/teststack"
)

// drilled is an alert whose messages go to another robot than the story's: they do not wait for each other.
const drilled = "RelayDiskFilling"

// drillBegins starts `lookout drill` on the stack, as a person does, next to the steps that follow: it mostly waits.
func (s *story) drillBegins(t *testing.T) {
	if s.Engine != teststack.Prometheus {
		return
	}
	// In the tree, which lasts longer than this step.
	program := filepath.Join(s.Tree, "lookout")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/lookout")
	build.Dir = s.Checkout.Root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build ./cmd/lookout: %v\n%s", err, out)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Minute)
	// Late is for bench-alerts to judge: this machine does several things at once.
	cmd := exec.CommandContext(ctx, program, "drill", "--slack=30s", "--patience=60s", drilled)
	cmd.Dir = s.Tree
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	s.drill = make(chan error, 1)
	go func() {
		defer cancel()
		if err := cmd.Run(); err != nil {
			s.drill <- fmt.Errorf("%w\n%s", err, out.String())
			return
		}
		s.drill <- nil
	}()
}

// drillPasses waits for the drill: its alert went to the chat and back, and the result is kept.
func (s *story) drillPasses(t *testing.T) {
	if s.Engine != teststack.Prometheus {
		return
	}
	if err := <-s.drill; err != nil {
		t.Fatal(err)
	}
	result, ok, err := drill.Last(s.Tree, "local", drilled)
	if err != nil || !ok {
		t.Fatalf("the result is not kept: %t, %v", ok, err)
	}
	if result.Verdict != drill.Passed || !slices.ContainsFunc(result.Stages, func(stage drill.Stage) bool { return stage.Name == "recovery in the chat" }) {
		t.Errorf("the drill came to %+v", result)
	}
	s.Measured(t, "drill of %s: the message came %.1f s after the breach (schedule %.1f s)", drilled, result.Seconds, result.Schedule)
}
