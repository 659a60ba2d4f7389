package toolchain

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// Cache holds what was built, one folder per part and content: <root>/<part>/<key>. A folder appears
// under its key only when it is complete, so an interrupted build leaves nothing that looks usable.
type Cache struct {
	// Root is the cache's folder.
	Root string
	// Tools is the repository's tools folder.
	Tools string
	// Progress shows how far the builds are.
	Progress *Progress

	// compiling is held by the part that compiles: each keeps every processor busy.
	compiling sync.Mutex
}

// DefaultRoot is LOOKOUT_CACHE or, without it, the folder "lookout" in the user's cache folder.
func DefaultRoot() (string, error) {
	if dir := os.Getenv("LOOKOUT_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder for the cache: set LOOKOUT_CACHE to one (%w)", err)
	}
	return filepath.Join(dir, "lookout"), nil
}

// Key names the content of a part: its pinned modules, the recipe, the compiler and the platform.
func (c *Cache) Key(ctx context.Context, p Part) (string, error) {
	goVersion, err := output(ctx, c.Tools, "go", "env", "GOVERSION", "GOOS", "GOARCH")
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "recipe %s\n%s %s\n%s\n%q\n", p.recipe, p.Name, p.Version, goVersion,
		slices.Concat(CompileFlags, p.Packages, []string{p.Tags, p.output}, p.ldflags))
	files := append([]string{p.Dir + "/go.mod", p.Dir + "/go.sum"}, p.Also...)
	for _, name := range files {
		data, err := os.ReadFile(filepath.Join(c.Tools, name))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%s %d\n", name, len(data))
		sum.Write(data)
	}
	return hex.EncodeToString(sum.Sum(nil))[:16], nil
}

// Get returns the folder of a part, building it first if it isn't there.
func (c *Cache) Get(ctx context.Context, p Part) (dir string, err error) {
	built, err := c.GetAll(ctx, []Part{p})
	return built[p.Name], err
}

// Has reports whether a part is there already.
func (c *Cache) Has(ctx context.Context, p Part) bool {
	key, err := c.Key(ctx, p)
	return err == nil && complete(filepath.Join(c.Root, p.Name, key))
}

// get returns the folder of a part, building it first if it isn't there. step and steps are what
// progress shows ("2/5"); turn is that of the job.
func (c *Cache) get(ctx context.Context, p Part, step, steps int,
	turn func(ctx context.Context) (func(), error)) (dir string, err error) {
	key, err := c.Key(ctx, p)
	if err != nil {
		return "", err
	}
	dir = filepath.Join(c.Root, p.Name, key)
	if complete(dir) {
		c.Progress.Done(step, steps, p.Name+" "+p.Version, "from the cache")
		return dir, nil
	}
	if err := os.MkdirAll(filepath.Join(c.Root, p.Name), 0o755); err != nil {
		return "", err
	}
	unlock, err := Lock(ctx, filepath.Join(c.Root, p.Name, ".lock"), func() {
		c.Progress.Note("another process builds " + p.Name + "; waiting for it")
	})
	if err != nil {
		return "", err
	}
	defer unlock()
	if complete(dir) {
		c.Progress.Done(step, steps, p.Name+" "+p.Version, "from the cache")
		return dir, nil
	}
	return dir, c.build(ctx, p, dir, step, steps, turn)
}

// GetAll returns the folder of each part by its name. All are begun at once, but they compile one after the other, in
// their order. The first failure stops what has not finished.
func (c *Cache) GetAll(ctx context.Context, parts []Part) (map[string]string, error) {
	dirs := make([]string, len(parts))
	group, ctx := errgroup.WithContext(ctx)
	before := make(chan struct{})
	close(before)
	for i, p := range parts {
		mine, compiled := before, make(chan struct{})
		before = compiled
		done := sync.OnceFunc(func() { close(compiled) })
		turn := func(ctx context.Context) (func(), error) {
			select {
			case <-mine:
				return done, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		group.Go(func() (err error) {
			if dirs[i], err = c.get(ctx, p, i+1, len(parts), turn); err != nil {
				return err
			}
			// What did not compile, since it is there already, still has its turn.
			if _, err := turn(ctx); err != nil {
				return err
			}
			done()
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	built := map[string]string{}
	for i, p := range parts {
		built[p.Name] = dirs[i]
	}
	return built, nil
}

func (c *Cache) build(ctx context.Context, p Part, dir string, step, steps int,
	turn func(ctx context.Context) (func(), error)) error {
	work := filepath.Join(c.Root, p.Name, ".building")
	// Whoever holds the lock owns this folder: what is in it is from a build that was interrupted.
	if err := os.RemoveAll(work); err != nil {
		return err
	}
	out, scratch := filepath.Join(work, "out"), filepath.Join(work, "scratch")
	for _, d := range []string{out, scratch} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	logPath := filepath.Join(c.Root, p.Name, "build.log")
	log, err := os.Create(logPath)
	if err != nil {
		return err
	}
	defer log.Close()
	start := time.Now()
	stop := c.Progress.Start(step, steps, p.Name+" "+p.Version, logPath)
	b := &job{src: filepath.Join(c.Tools, p.Dir), out: out, scratch: scratch, turn: turn, compiling: &c.compiling,
		run: func(ctx context.Context, dir string, env []string, name string, args ...string) error {
			return runLogged(ctx, log, dir, env, name, args...)
		}}
	build := p.build
	if build == nil {
		build = p.goBuild
	}
	err = build(ctx, b)
	stop()
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("building %s was interrupted; run the same command again to go on", p.Name)
		}
		return fmt.Errorf("building %s from its module failed: %w\n%s\nthe whole log: %s", p.Name, err, tail(logPath, 15), logPath)
	}
	if err := os.WriteFile(filepath.Join(out, ".complete"), nil, 0o644); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.Rename(out, dir); err != nil {
		return err
	}
	if err := os.RemoveAll(work); err != nil {
		return err
	}
	c.Progress.Done(step, steps, p.Name+" "+p.Version, "built in "+time.Since(start).Round(time.Second).String())
	return nil
}

func complete(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, ".complete"))
	return err == nil
}

// Lock takes an exclusive lock on a file; waiting is called once if another process holds it.
func Lock(ctx context.Context, path string, waiting func()) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	said := false
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			_ = f.Close()
			return nil, fmt.Errorf("locking %s: %w", path, err)
		}
		if !said {
			waiting()
			said = true
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// buildEnv is the environment of every build: nothing that a user has set for their own projects may
// change the bytes that come out.
func buildEnv(extra []string) []string {
	drop := map[string]bool{"GOFLAGS": true, "GOWORK": true, "GOOS": true, "GOARCH": true, "GOAMD64": true,
		"GOARM64": true, "GOEXPERIMENT": true, "CGO_ENABLED": true, "CGO_CFLAGS": true, "CGO_LDFLAGS": true,
		"CC": true, "GO111MODULE": true, "GOFIPS140": true}
	var env []string
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); !drop[name] {
			env = append(env, kv)
		}
	}
	return append(append(env, "GOWORK=off", "GOFLAGS=-buildvcs=false"), extra...)
}

func runLogged(ctx context.Context, log io.Writer, dir string, env []string, name string, args ...string) error {
	fmt.Fprintf(log, "$ %s %s\n", name, strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = buildEnv(env)
	cmd.Stdout, cmd.Stderr = log, log
	// The compiler's children must end with it: a build that goes on after Ctrl-C would still write
	// into the folder that the next one clears.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w", name, args[0], err)
	}
	return nil
}

func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	return outputEnv(ctx, dir, nil, name, args...)
}

func outputEnv(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = buildEnv(env)
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(exit.Stderr)))
		}
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}

func copyFile(from, to string, mode fs.FileMode) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, data, mode)
}

func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		return copyFile(path, filepath.Join(to, rel), 0o644)
	})
}

func tail(path string, lines int) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(data)), "\n")
	if len(all) > lines {
		all = all[len(all)-lines:]
	}
	return strings.Join(all, "\n")
}

// platform is the folder name that a provider mirror uses for this machine.
func platform() string { return runtime.GOOS + "_" + runtime.GOARCH }
