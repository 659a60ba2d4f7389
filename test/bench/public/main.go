// Command public fetches a collection of public dashboards and rule files that can be named: those in the Go modules of modules.txt, by the go command. The measures that
// run on it are tests with the environment variable LOOKOUT_PUBLIC; `make bench-public` does both.
//
//	go run ./test/bench/public --dir .cache/public
//
// Each module becomes DIR/SET/MODULE@VERSION with the files that are dashboards or hold rules, under the paths that they have in the module.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"lookout/internal/dashboard"
	"lookout/internal/rules"
	"lookout/internal/source"
)

//go:embed modules.txt
var modules string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "public:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("public", flag.ContinueOnError)
	flags.SetOutput(stderr)
	dir := flags.String("dir", filepath.Join(".cache", "public"), "directory to write the collection into")
	if err := flags.Parse(args); err != nil {
		return err
	}
	total, refused := 0, 0
	for line := range strings.Lines(modules) {
		set, module, version, ok := entry(line)
		if !ok {
			continue
		}
		to := filepath.Join(*dir, set, filepath.FromSlash(module)+"@"+version)
		if _, err := os.Stat(to); err == nil {
			continue
		}
		from, err := download(ctx, module, version)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			fmt.Fprintln(stderr, err)
			refused++
			continue
		}
		n, err := collect(from, to)
		if err != nil {
			return err
		}
		fmt.Fprintf(stdout, "%s@%s: %d files\n", module, version, n)
		total += n
	}
	fmt.Fprintf(stdout, "%d new files in %s\n", total, *dir)
	if refused > 0 {
		return fmt.Errorf("%d modules could not be fetched, so figures will differ from the published ones", refused)
	}
	return nil
}

// entry reads a line of modules.txt; ok is false for comments and empty lines.
func entry(line string) (set, module, version string, ok bool) {
	f := strings.Fields(line)
	if len(f) != 3 || strings.HasPrefix(f[0], "#") {
		return "", "", "", false
	}
	return f[0], f[1], f[2], true
}

// download has the go command fetch a module, outside of any other module, and returns its directory.
func download(ctx context.Context, module, version string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", module+"@"+version)
	cmd.Dir = os.TempDir()
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	failed := cmd.Run()
	var answer struct{ Dir, Error string }
	if err := json.Unmarshal(stdout.Bytes(), &answer); err != nil || answer.Error != "" || answer.Dir == "" {
		return "", fmt.Errorf("%s@%s: %s%s (%v)", module, version, answer.Error, strings.TrimSpace(stderr.String()), failed)
	}
	return answer.Dir, nil
}

// collect copies what is a dashboard or holds rules. What is written for VictoriaMetrics' own pages (vmui) has panels, but is not a dashboard of Grafana's.
func collect(from, to string) (n int, err error) {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return 0, err
	}
	return n, filepath.WalkDir(from, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.Contains(filepath.ToSlash(p), "/vmui/") {
			return err
		}
		switch ext := strings.ToLower(filepath.Ext(p)); ext {
		case ".json", ".yaml", ".yml", ".rules":
			data, err := os.ReadFile(p)
			if err != nil || !wanted(p, ext, data) {
				return err
			}
			rel, err := filepath.Rel(from, p)
			if err != nil {
				return err
			}
			n++
			return source.Write(filepath.Join(to, rel), data)
		}
		return nil
	})
}

func wanted(name, ext string, data []byte) bool {
	if len(data) > source.MaxSize {
		return false
	}
	if ext == ".json" {
		if !bytes.Contains(data, []byte(`"panels"`)) && !bytes.Contains(data, []byte(`"elements"`)) && !bytes.Contains(data, []byte(`"rows"`)) {
			return false
		}
		_, err := dashboard.Load(name, data)
		return err == nil
	}
	return bytes.Contains(data, []byte("groups:")) && (bytes.Contains(data, []byte("alert:")) || bytes.Contains(data, []byte("record:"))) && rules.Read(name, data).Holds()
}
