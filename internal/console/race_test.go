package console_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lookout/internal/console"
)

// Files are written in every way that editors have, half of them at any moment, while all pages that are made of them are read: each has an answer, all the time.
func TestReadingWhileFilesAreWritten(t *testing.T) {
	t.Parallel()
	dir := copyTree(t, "../../dashboards")
	git(t, dir, "init", "-q")
	git(t, dir, "add", "-A")
	git(t, dir, "commit", "-q", "-m", "before")
	c := startConsole(t, console.Config{Paths: []string{dir}, Location: time.UTC})
	file := filepath.Join(dir, "go", "go-runtime.json")
	good, err := os.ReadFile(file)
	require.NoError(t, err)
	version := func(i int) []byte {
		return bytes.Replace(good, []byte(`"title": "Goroutines"`), fmt.Appendf(nil, `"title": "Goroutines %d"`, i), 1)
	}
	ways := []func(data []byte) error{
		// In place, and it takes a while.
		func(data []byte) error {
			f, err := os.OpenFile(file, os.O_WRONLY|os.O_TRUNC, 0)
			if err != nil {
				return err
			}
			for len(data) > 0 {
				n := min(len(data), 4096)
				if _, err := f.Write(data[:n]); err != nil {
					return err
				}
				data = data[n:]
			}
			return f.Close()
		},
		// Another file that takes its place.
		func(data []byte) error {
			if err := os.WriteFile(file+"~", data, 0o644); err != nil {
				return err
			}
			return os.Rename(file+"~", file)
		},
		// The old one is put aside first.
		func(data []byte) error {
			if err := os.Rename(file, file+".bak"); err != nil {
				return err
			}
			return os.WriteFile(file, data, 0o644)
		},
		// It cannot be read for a while.
		func(data []byte) error {
			if err := os.WriteFile(file, data[:len(data)/2], 0o644); err != nil {
				return err
			}
			return nil
		},
	}
	stop := make(chan struct{})
	var answers atomic.Int64
	var wg sync.WaitGroup
	for _, path := range []string{
		"/dashboards", "/d/go-runtime?from=now-1h&to=now", "/panels/go-runtime?p=1:400x200&p=3:400x200", "/findings/go-runtime", "/changes/go-runtime", "/values/go-runtime/3?w=400",
		"/picture/go-runtime/3?w=400&h=200", "/d-solo/go-runtime/x?panelId=3",
	} {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				code, body, err := get(c.url + path)
				answers.Add(1)
				if !assert.NoError(t, err, path) || !assert.Equal(t, http.StatusOK, code, "%s: %.300s", path, body) {
					return
				}
				if path == "/dashboards" && !assert.Contains(t, body, "go-runtime") {
					return
				}
			}
		})
	}
	const rounds = 60
	for i := range rounds {
		// The pages are read between any two steps; what is shown in the end counts, not how long it takes.
		before := answers.Load()
		require.NoError(t, ways[i%len(ways)](version(i)))
		eventually(t, time.Minute, func() error {
			if answers.Load() < before+4 {
				return fmt.Errorf("no answers")
			}
			return nil
		})
	}
	require.NoError(t, ways[0](version(rounds)))
	eventually(t, time.Minute, func() error {
		_, body, err := get(c.url + "/d/go-runtime")
		if err == nil && !strings.Contains(body, fmt.Sprintf("Goroutines %d<", rounds)) {
			err = fmt.Errorf("the last version is not shown")
		}
		return err
	})
	close(stop)
	wg.Wait()
	t.Logf("%d answers while %d versions were written", answers.Load(), rounds)
}
