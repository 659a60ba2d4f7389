package review

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"lookout/internal/lint"
)

// exporterPatience is how long an exporter may take to expose what is waited for, its compilation included.
const exporterPatience = 5 * time.Minute

// runExporters starts the exporters, reads what they expose into files, and ends them. remove removes the files.
func runExporters(ctx context.Context, exporters []lint.Exporter, client *http.Client) (files []string, remove func(), err error) {
	if len(exporters) == 0 {
		return nil, nil, errors.New("--run-exporters: .lookout.yaml names none; list them under exposed.exporters")
	}
	dir, err := os.MkdirTemp("", "lookout-review-")
	if err != nil {
		return nil, nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	group, ctx := errgroup.WithContext(ctx)
	files = make([]string, len(exporters))
	for i, e := range exporters {
		files[i] = filepath.Join(dir, strconv.Itoa(i)+".prom")
		group.Go(func() error {
			data, err := expose(ctx, e, filepath.Join(dir, strconv.Itoa(i)), client)
			if err != nil {
				return fmt.Errorf("exporter %q: %w", e.Run, err)
			}
			return os.WriteFile(files[i], data, 0o600)
		})
	}
	if err := group.Wait(); err != nil {
		remove()
		return nil, nil, err
	}
	return files, remove, nil
}

// expose starts one exporter and reads what it exposes as soon as the metrics are there that it waits for, and no others come any more: a program registers them one by one
// as it starts.
func expose(ctx context.Context, e lint.Exporter, dir string, client *http.Client) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, exporterPatience)
	defer cancel()
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	line := strings.NewReplacer("{port}", port, "{dir}", dir).Replace(e.Run)
	var output tail
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Stdout, cmd.Stderr = &output, &output
	// A group of its own, so that what the shell starts ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() {
		cancel()
		//lint:ignore errcheck it ends because it was stopped
		<-ended
	}()
	var last error // why it is not ready
	var before []string
	for {
		data, err := get(ctx, client, "http://127.0.0.1:"+port+"/metrics")
		missing := slices.IndexFunc(e.Until, func(metric string) bool { return !bytes.Contains(append([]byte("\n"), data...), []byte("\n"+metric)) })
		switch {
		case err != nil:
			last = err
		case missing < 0:
			now := names(data)
			if slices.Equal(before, now) {
				return data, nil
			}
			before = now
			last = errors.New("it exposes more and more metrics")
		default:
			last = fmt.Errorf("it exposes no %s", e.Until[missing])
		}
		select {
		case err := <-ended:
			ended <- err
			return nil, fmt.Errorf("it ended before it exposed anything (%v):\n%s", err, output.String())
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %v\n%s", ctx.Err(), last, output.String())
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// names are the names of the series in an exposition, sorted.
func names(data []byte) (out []string) {
	for line := range bytes.Lines(data) {
		if name, _, ok := bytes.Cut(line, []byte(" ")); ok && line[0] != '#' {
			name, _, _ = bytes.Cut(name, []byte("{"))
			out = append(out, string(name))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func get(ctx context.Context, client *http.Client, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", address, res.Status)
	}
	return io.ReadAll(io.LimitReader(res.Body, 64<<20))
}

// freePort asks the kernel for a port. Another program may take it before the exporter does; then the exporter says so.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), nil
}

// tail keeps the end of what a program writes.
type tail struct{ data []byte }

const tailSize = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	if over := len(t.data) - tailSize; over > 0 {
		t.data = append([]byte(nil), t.data[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return strings.TrimSpace(string(t.data)) }
