// Package memdir gives tests folders that cost no syncs.
package memdir

import (
	"os"
	"testing"
)

// New makes a folder in memory, where the machine has one, for what a test does not ask to survive a power cut. What
// a process leaves there when it is killed stays, as on a disk.
func New(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "lookout-relay-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
