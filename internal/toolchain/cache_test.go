package toolchain

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// newCache is a cache whose only part writes a file; calls counts the builds.
func newCache(t *testing.T, build func(ctx context.Context, b *job) error) (*Cache, Part) {
	t.Helper()
	tools := t.TempDir()
	for _, name := range []string{"go.mod", "go.sum"} {
		require.NoError(t, WriteFile(filepath.Join(tools, "demo", name), []byte("module demo\n"), 0o644))
	}
	var out bytes.Buffer
	c := &Cache{Root: t.TempDir(), Tools: tools, Progress: &Progress{Out: &out}}
	return c, Part{Name: "demo", Version: "1.0.0", Dir: "demo", build: build}
}

func TestAPartIsBuiltOnceForItsContent(t *testing.T) {
	builds := 0
	c, part := newCache(t, func(_ context.Context, b *job) error {
		builds++
		return os.WriteFile(filepath.Join(b.out, "program"), []byte("x"), 0o755)
	})
	first, err := c.Get(t.Context(), part)
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(first, "program"))
	second, err := c.Get(t.Context(), part)
	require.NoError(t, err)
	require.Equal(t, first, second)
	require.Equal(t, 1, builds)

	require.NoError(t, os.WriteFile(filepath.Join(c.Tools, "demo", "go.sum"), []byte("another\n"), 0o644))
	third, err := c.Get(t.Context(), part)
	require.NoError(t, err)
	require.NotEqual(t, first, third)
	require.Equal(t, 2, builds, "a changed go.sum is another content")
}

func TestAnInterruptedBuildLeavesNothingThatLooksUsable(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	interrupt := true
	c, part := newCache(t, func(ctx context.Context, b *job) error {
		require.NoError(t, os.WriteFile(filepath.Join(b.out, "half"), nil, 0o644))
		if interrupt {
			cancel()
			return ctx.Err()
		}
		require.NoFileExists(t, filepath.Join(b.out, "half.old"))
		return nil
	})
	_, err := c.Get(ctx, part)
	require.ErrorContains(t, err, "run the same command again")
	// What a killed process would have left as well:
	require.NoError(t, os.WriteFile(filepath.Join(c.Root, "demo", ".building", "out", "half.old"), nil, 0o644))
	interrupt = false
	dir, err := c.Get(t.Context(), part)
	require.NoError(t, err)
	require.True(t, complete(dir))
	require.NoDirExists(t, filepath.Join(c.Root, "demo", ".building"))
}

func TestAFailedBuildShowsTheEndOfItsLog(t *testing.T) {
	c, part := newCache(t, func(ctx context.Context, b *job) error {
		return b.run(ctx, b.src, nil, "sh", "-c", "echo the compiler says no; exit 3")
	})
	_, err := c.Get(t.Context(), part)
	require.ErrorContains(t, err, "building demo from its module failed")
	require.ErrorContains(t, err, "the compiler says no")
	require.ErrorContains(t, err, "build.log")
}

func TestTheFirstFailureIsReportedAndStopsTheRest(t *testing.T) {
	c, good := newCache(t, func(ctx context.Context, _ *job) error {
		<-ctx.Done() // would go on for ever
		return ctx.Err()
	})
	bad := good
	bad.Name, bad.build = "bad", func(context.Context, *job) error { return errors.New("no such module") }
	_, err := c.GetAll(t.Context(), []Part{good, bad})
	require.ErrorContains(t, err, "building bad from its module failed: no such module")

	good.build = func(context.Context, *job) error { return nil }
	built, err := c.GetAll(t.Context(), []Part{good})
	require.NoError(t, err)
	require.True(t, complete(built["demo"]))
}

// The last part links while the first still fetches its modules, but it compiles after the first.
func TestPartsCompileOneAfterTheOtherInTheirOrder(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var mu sync.Mutex
	var order []string
	lastBegan := make(chan struct{})
	linking := make(chan struct{})
	c, first := newCache(t, nil)
	build := func(name string, before, after func()) func(ctx context.Context, b *job) error {
		return func(ctx context.Context, b *job) error {
			before()
			done, err := b.turn(ctx)
			if err != nil {
				return err
			}
			mu.Lock()
			order = append(order, name)
			mu.Unlock()
			done()
			after()
			return nil
		}
	}
	wait := func(ch chan struct{}) func() {
		return func() {
			select {
			case <-ch:
			case <-ctx.Done():
				t.Error("two parts that should overlap do not")
			}
		}
	}
	first.Name, first.build = "first", build("first", wait(lastBegan), wait(linking))
	cached, last := first, first
	cached.Name, cached.build = "cached", func(context.Context, *job) error { return nil }
	last.Name, last.build = "last", build("last", func() { close(lastBegan) }, func() { close(linking) })
	_, err := c.Get(ctx, cached)
	require.NoError(t, err)
	_, err = c.GetAll(ctx, []Part{first, cached, last})
	require.NoError(t, err)
	require.Equal(t, []string{"first", "last"}, order)
}

func TestTwoProcessesDoNotBuildTheSamePartAtOnce(t *testing.T) {
	var mu sync.Mutex
	inside, most := 0, 0
	c, part := newCache(t, func(context.Context, *job) error {
		mu.Lock()
		inside++
		most = max(most, inside)
		mu.Unlock()
		mu.Lock()
		inside--
		mu.Unlock()
		return nil
	})
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		wg.Go(func() { _, errs[i] = c.Get(t.Context(), part) })
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	require.Equal(t, 1, most)
}

func TestAUsersGoSettingsDoNotReachABuild(t *testing.T) {
	t.Setenv("GOFLAGS", "-tags=mine")
	t.Setenv("GOAMD64", "v3")
	env := buildEnv([]string{"CGO_ENABLED=0"})
	require.NotContains(t, env, "GOFLAGS=-tags=mine")
	require.NotContains(t, env, "GOAMD64=v3")
	require.Contains(t, env, "CGO_ENABLED=0")
}
