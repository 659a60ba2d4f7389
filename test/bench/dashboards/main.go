// Command dashboards measures how long Terraform takes for many dashboards against a real Grafana: the first apply, a
// plan that finds nothing to do, and an apply after one edit. It prints figures and judges nothing.
//
//	go run ./test/bench/dashboards --image lookout/grafana:dev
//
// It starts a Grafana of its own on a free loopback port and removes it at the end.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"lookout/internal/dashgen"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "dashboards:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	flags := flag.NewFlagSet("dashboards", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var options dashgen.Options
	flags.IntVar(&options.Dashboards, "dashboards", 1000, "how many dashboards")
	flags.IntVar(&options.Folders, "folders", 40, "in how many folders")
	flags.IntVar(&options.Panels, "panels", 20, "panels of each; 20 make about 20 kB")
	image := flags.String("image", "lookout/grafana:dev", "image of the Grafana to measure against")
	parallelism := flags.Int("parallelism", 10, "Terraform's -parallelism")
	whole := flags.Bool("whole", false, "keep whole dashboards in state instead of checksums")
	binary := flags.String("terraform", "terraform", "terraform or tofu")
	root := flags.String("root", "test/bench/dashboards", "the root module")
	if err := flags.Parse(args); err != nil {
		return err
	}

	dir, err := os.MkdirTemp("", "lookout-bench-")
	if err != nil {
		return fmt.Errorf("making a directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	size, err := dashgen.Write(filepath.Join(dir, "dashboards"), options)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%d dashboards of %d panels in %d folders, %.1f MB; parallelism %d, %s in state\n",
		options.Dashboards, options.Panels, options.Folders, float64(size)/1e6, *parallelism, map[bool]string{false: "checksums", true: "whole dashboards"}[*whole])

	grafana, err := start(ctx, *image)
	// Even one that did not become healthy is there and has to go.
	defer func() {
		if grafana.container == "" {
			return
		}
		// The run may have been interrupted; the container has to go all the same.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		_, stopped := output(ctx, "docker", "rm", "--force", "--volumes", grafana.container)
		err = errors.Join(err, stopped)
	}()
	if err != nil {
		return err
	}

	absolute, err := filepath.Abs(*root)
	if err != nil {
		return fmt.Errorf("finding the root module: %w", err)
	}
	terraform := terraform{
		binary: *binary,
		root:   absolute,
		env: append(os.Environ(),
			"GRAFANA_URL="+grafana.url, "GRAFANA_AUTH="+grafana.auth,
			"TF_VAR_path="+filepath.Join(dir, "dashboards"),
			fmt.Sprintf("TF_VAR_store_dashboard_sha256=%t", !*whole),
			"TF_DATA_DIR="+filepath.Join(dir, "data"), "TF_IN_AUTOMATION=1",
		),
	}
	state := "-state=" + filepath.Join(dir, "terraform.tfstate")
	parallel := fmt.Sprintf("-parallelism=%d", *parallelism)

	if _, _, err := terraform.run(ctx, "init", "-input=false"); err != nil {
		return err
	}
	measure := func(what string, args ...string) (string, error) {
		begun := time.Now()
		out, cpu, err := terraform.run(ctx, args...)
		if err != nil {
			return "", fmt.Errorf("%s: %w", what, err)
		}
		fmt.Fprintf(stdout, "%-28s %6.1f s, of which Terraform and its provider computed %.1f s\n", what, time.Since(begun).Seconds(), cpu.Seconds())
		return out, nil
	}

	if _, err := measure("first apply", "apply", "-auto-approve", "-input=false", state, parallel); err != nil {
		return err
	}
	out, err := measure("plan with nothing to do", "plan", "-input=false", state, parallel)
	if err != nil {
		return err
	}
	if !strings.Contains(out, "No changes.") {
		return fmt.Errorf("the plan after the apply is not empty:\n%s", out)
	}
	if err := edit(filepath.Join(dir, "dashboards", "team-000", "generated-00000.json")); err != nil {
		return err
	}
	out, err = measure("apply after one edit", "apply", "-auto-approve", "-input=false", state, parallel)
	if err != nil {
		return err
	}
	for line := range strings.Lines(out) {
		if strings.Contains(line, "Apply complete!") {
			fmt.Fprint(stdout, "  ", line)
		}
	}
	return nil
}

func edit(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("editing a dashboard: %w", err)
	}
	if err := os.WriteFile(file, bytes.Replace(data, []byte(`"reqps"`), []byte(`"ops"`), 1), 0o644); err != nil {
		return fmt.Errorf("editing a dashboard: %w", err)
	}
	return nil
}

type server struct{ container, url, auth string }

// start runs a Grafana with the settings that modules/grafana gives it, as far as they matter for time.
func start(ctx context.Context, image string) (server, error) {
	password := rand.Text()
	id, err := output(ctx, "docker", "run", "--detach", "--publish", "127.0.0.1::3000",
		"--env", "GF_SECURITY_ADMIN_PASSWORD="+password,
		"--env", "GF_ANALYTICS_REPORTING_ENABLED=false", "--env", "GF_ANALYTICS_CHECK_FOR_UPDATES=false",
		"--env", "GF_LOG_LEVEL=warn", image)
	if err != nil {
		return server{}, err
	}
	s := server{container: strings.TrimSpace(id), auth: "admin:" + password}
	port, err := output(ctx, "docker", "port", s.container, "3000/tcp")
	if err != nil {
		return s, err
	}
	s.url = "http://" + strings.TrimSpace(strings.SplitN(port, "\n", 2)[0])

	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := healthy(ctx, s.url)
		if err == nil {
			return s, nil
		}
		select {
		case <-ctx.Done():
			return s, fmt.Errorf("waiting for Grafana at %s: %w", s.url, err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func healthy(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/api/health", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", response.Status)
	}
	return nil
}

func output(ctx context.Context, name string, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	command := exec.CommandContext(ctx, name, args...)
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, args[0], err, stderr.String())
	}
	return stdout.String(), nil
}

type terraform struct {
	binary, root string
	env          []string
}

// run also returns the processor time used, the provider's included: on a busy machine it says more than the clock.
func (t terraform) run(ctx context.Context, args ...string) (string, time.Duration, error) {
	var out bytes.Buffer
	command := exec.CommandContext(ctx, t.binary, append([]string{"-chdir=" + t.root}, append(args, "-no-color")...)...)
	command.Env, command.Stdout, command.Stderr = t.env, &out, &out
	// An interrupted Terraform puts its state in order; killing it at once would not let it.
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 30 * time.Second
	if err := command.Run(); err != nil {
		// A thousand resources say a lot; what went wrong comes last.
		said := out.Bytes()
		if len(said) > 4000 {
			said = said[len(said)-4000:]
		}
		return "", 0, fmt.Errorf("%s %s: %w\n%s", t.binary, args[0], err, said)
	}
	return out.String(), command.ProcessState.UserTime() + command.ProcessState.SystemTime(), nil
}
