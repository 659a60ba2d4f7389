package environment

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"lookout/internal/toolchain"
)

// exclusive waits until nothing else changes this environment from this checkout: neither another run
// of this program nor a Terraform whose parent was killed while it went on.
func (e *Environment) exclusive(ctx context.Context) (release func(), err error) {
	release, err = toolchain.Lock(ctx, e.cache("apply", e.Name+".lock"), func() {
		e.Progress.Note("another run is at work on " + e.Name + "; waiting for it")
	})
	if err != nil {
		return nil, err
	}
	for _, root := range []string{"platform", "content"} {
		if err := e.awaitTerraform(ctx, filepath.Join(e.root(root), "terraform.tfstate")); err != nil {
			release()
			return nil, err
		}
	}
	return release, nil
}

// awaitTerraform waits until no process holds Terraform's own lock of a local state: a POSIX record
// lock over the whole file.
func (e *Environment) awaitTerraform(ctx context.Context, state string) error {
	f, err := os.OpenFile(state, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	reported := false
	for {
		held := syscall.Flock_t{Type: syscall.F_WRLCK}
		if err := syscall.FcntlFlock(f.Fd(), syscall.F_GETLK, &held); err != nil {
			return fmt.Errorf("asking who holds %s: %w", state, err)
		}
		if held.Type == syscall.F_UNLCK {
			return nil
		}
		if !reported {
			e.Progress.Note(fmt.Sprintf("the Terraform of an earlier run (process %d) is still at work; waiting for it", held.Pid))
			reported = true
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}
