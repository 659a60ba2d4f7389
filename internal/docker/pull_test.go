package docker

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// client puts a program in the place of the Docker client.
func client(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "docker"), []byte("#!/bin/sh\n"+script), 0o755))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func TestAPullGivesUpOnARegistryThatDoesNotAnswer(t *testing.T) {
	client(t, "exec sleep 60")
	begin := time.Now()
	err := pull(t.Context(), "prom/prometheus:v3.16.0", 100*time.Millisecond, time.Minute)
	require.EqualError(t, err, "docker pull prom/prometheus:v3.16.0: no answer within 100ms")
	require.Less(t, time.Since(begin), 20*time.Second)
}

func TestAPullThatMakesProgressMayTakeLonger(t *testing.T) {
	client(t, "echo 'v3.16.0: Pulling from prom/prometheus'; exec sleep 3")
	require.NoError(t, pull(t.Context(), "prom/prometheus:v3.16.0", 2*time.Second, time.Minute))
	client(t, "echo 'v3.16.0: Pulling from prom/prometheus'; exec sleep 60")
	err := pull(t.Context(), "prom/prometheus:v3.16.0", 50*time.Second, time.Second)
	require.EqualError(t, err, "docker pull prom/prometheus:v3.16.0: not complete after 1s")
}

func TestAFailedPullSaysWhatTheEngineSaid(t *testing.T) {
	client(t, "echo 'Error response from daemon: no such host' >&2; exit 1")
	require.EqualError(t, Pull(t.Context(), "x/y:1"), "docker pull x/y:1: no such host")
}
