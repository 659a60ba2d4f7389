// Command dashboards measures how long Terraform takes for many dashboards: the first apply, a plan that finds nothing to do,
// and an apply after one edit. It prints figures and judges nothing.
//
//	go run ./test/bench/dashboards
//	go run ./test/bench/dashboards --image grafana/grafana:13.2.3
//	go run ./test/bench/dashboards --way files --image grafana/grafana:13.2.3
//
// With an image it starts a Grafana of its own on a free loopback port and removes it at the end. Without one it asks the
// stand-in of test/internal/grafana, which answers at once: that is what Terraform and its provider take by themselves.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"lookout/internal/dashgen"
	"lookout/test/internal/grafana"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "dashboards:", err)
		os.Exit(1)
	}
}

// A bench is one measurement.
type bench struct {
	image, root, dir string
	dashboards       int
	edited           string // the file that is edited, within dir/dashboards
	stdout           io.Writer
	terraform        terraform
	parallelism      string
	grafana          server
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	flags := flag.NewFlagSet("dashboards", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var options dashgen.Options
	flags.IntVar(&options.Dashboards, "dashboards", 1000, "how many dashboards")
	flags.IntVar(&options.Folders, "folders", 40, "in how many folders")
	flags.IntVar(&options.Panels, "panels", 20, "panels of each; 20 make about 20 kB")
	way := flags.String("way", "api", "how they get into Grafana: api (modules/dashboards) or files (dashboards_directory of modules/grafana)")
	image := flags.String("image", os.Getenv("GRAFANA_IMAGE"), "image of the Grafana to measure against; none: the stand-in, with --way api")
	parallelism := flags.Int("parallelism", 10, "Terraform's -parallelism")
	whole := flags.Bool("whole", false, "with --way api: keep whole dashboards in state instead of checksums")
	binary := flags.String("terraform", "terraform", "terraform or tofu")
	root := flags.String("root", "test/bench/dashboards", "where the root modules api and files are")
	if err := flags.Parse(args); err != nil {
		return err
	}
	measure, ok := map[string]func(*bench, context.Context, bool) error{"api": (*bench).api, "files": (*bench).files}[*way]
	if !ok {
		return fmt.Errorf("--way is %q: choose api or files", *way)
	}
	if *way == "files" && *image == "" {
		return errors.New("--way files needs a Grafana that reads files: give --image")
	}

	dir, err := os.MkdirTemp("", "lookout-bench-")
	if err != nil {
		return fmt.Errorf("making a directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	// Grafana, another user in its container, reads the files.
	if err := os.Chmod(dir, 0o755); err != nil {
		return fmt.Errorf("opening the directory: %w", err)
	}
	size, err := dashgen.Write(filepath.Join(dir, "dashboards"), options)
	if err != nil {
		return err
	}
	absolute, err := filepath.Abs(filepath.Join(*root, *way))
	if err != nil {
		return fmt.Errorf("finding the root module: %w", err)
	}
	fmt.Fprintf(stdout, "%d dashboards of %d panels in %d folders, %.1f MB, by way of %s\n",
		options.Dashboards, options.Panels, options.Folders, float64(size)/1e6, *way)
	b := &bench{
		image: *image, root: absolute, dir: dir, dashboards: options.Dashboards, edited: "team-000/generated-00000.json", stdout: stdout,
		parallelism: fmt.Sprintf("-parallelism=%d", *parallelism),
		terraform: terraform{binary: *binary, root: absolute, env: append(os.Environ(),
			"TF_VAR_path="+filepath.Join(dir, "dashboards"), "TF_DATA_DIR="+filepath.Join(dir, "data"), "TF_IN_AUTOMATION=1")},
	}
	return measure(b, ctx, *whole)
}

// api lets Terraform write every dashboard through Grafana's API.
func (b *bench) api(ctx context.Context, whole bool) (err error) {
	if b.image == "" {
		return b.standIn(ctx, whole)
	}
	b.grafana, err = start(ctx, b.image)
	// Even one that did not become healthy is there and has to go.
	defer func() {
		if b.grafana.container == "" {
			return
		}
		// The run may have been interrupted; the container has to go all the same.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		_, stopped := output(ctx, "docker", "rm", "--force", "--volumes", b.grafana.container)
		err = errors.Join(err, stopped)
	}()
	if err != nil {
		return err
	}
	return b.through(ctx, whole)
}

// standIn asks the stand-in instead of a Grafana.
func (b *bench) standIn(ctx context.Context, whole bool) (err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("starting the stand-in: %w", err)
	}
	password := rand.Text()
	standin := grafana.New(grafana.Options{Password: password})
	server := &http.Server{Handler: standin, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer func() {
		err = errors.Join(err, server.Close())
		if stopped := <-served; !errors.Is(stopped, http.ErrServerClosed) {
			err = errors.Join(err, stopped)
		}
		for _, r := range standin.Unknown() {
			err = errors.Join(err, fmt.Errorf("the stand-in does not know %s", r))
		}
	}()
	b.grafana.url, b.grafana.auth = "http://"+listener.Addr().String(), "admin:"+password
	fmt.Fprintln(b.stdout, "against the stand-in, which answers at once")
	return b.through(ctx, whole)
}

// through measures the way through the API.
func (b *bench) through(ctx context.Context, whole bool) error {
	fmt.Fprintf(b.stdout, "%s in state\n", map[bool]string{false: "checksums", true: "whole dashboards"}[whole])
	b.terraform.env = append(b.terraform.env, "GRAFANA_URL="+b.grafana.url, "GRAFANA_AUTH="+b.grafana.auth,
		fmt.Sprintf("TF_VAR_store_dashboard_sha256=%t", !whole))
	return b.stages(ctx)
}

// files lets Terraform bring up a Grafana that reads the dashboards by itself.
func (b *bench) files(ctx context.Context, _ bool) (err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("finding a free port: %w", err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		return fmt.Errorf("finding a free port: %w", err)
	}
	password := rand.Text()
	b.grafana = server{url: fmt.Sprintf("http://127.0.0.1:%d", port), auth: "admin:" + password}
	b.terraform.env = append(b.terraform.env, "TF_VAR_image="+b.image, fmt.Sprintf("TF_VAR_name=lookout-bench-%d", os.Getpid()),
		"TF_VAR_password="+password, fmt.Sprintf("TF_VAR_port=%d", port))
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Minute)
		defer cancel()
		_, _, destroyed := b.terraform.run(ctx, "destroy", "-auto-approve", "-input=false", b.state())
		err = errors.Join(err, destroyed)
	}()
	return b.stages(ctx)
}

func (b *bench) state() string { return "-state=" + filepath.Join(b.dir, "terraform.tfstate") }

// stages are what a user waits for, in the order in which they do.
func (b *bench) stages(ctx context.Context) error {
	if _, _, err := b.terraform.run(ctx, "init", "-input=false"); err != nil {
		return err
	}
	apply := []string{"apply", "-auto-approve", "-input=false", b.state(), b.parallelism}
	begun := time.Now()
	if _, err := b.measure(ctx, "first apply", apply...); err != nil {
		return err
	}
	if err := b.await(ctx, fmt.Sprintf("/api/search?type=dash-db&limit=%d", b.dashboards+1), func(found []any) error {
		if len(found) != b.dashboards {
			return fmt.Errorf("%d of %d dashboards are there", len(found), b.dashboards)
		}
		return nil
	}); err != nil {
		return err
	}
	fmt.Fprintf(b.stdout, "%-28s %6.1f s, from the beginning of that apply\n", "all of them are in Grafana", time.Since(begun).Seconds())
	out, err := b.measure(ctx, "plan with nothing to do", "plan", "-input=false", b.state(), b.parallelism)
	if err != nil {
		return err
	}
	if !strings.Contains(out, "No changes.") {
		return fmt.Errorf("the plan after the apply is not empty:\n%s", out)
	}

	if err := edit(filepath.Join(b.dir, "dashboards", b.edited)); err != nil {
		return err
	}
	begun = time.Now()
	out, err = b.measure(ctx, "apply after one edit", apply...)
	if err != nil {
		return err
	}
	for line := range strings.Lines(out) {
		if strings.Contains(line, "Apply complete!") {
			fmt.Fprint(b.stdout, "  ", line)
		}
	}
	if err := b.await(ctx, "/api/search?type=dash-db&query="+editedTitle, func(found []any) error {
		if len(found) != 1 {
			return fmt.Errorf("%d dashboards have the new title", len(found))
		}
		return nil
	}); err != nil {
		return err
	}
	fmt.Fprintf(b.stdout, "%-28s %6.1f s, from the beginning of that apply\n", "the edit is in Grafana", time.Since(begun).Seconds())
	return nil
}

// measure runs Terraform and prints how long it took.
func (b *bench) measure(ctx context.Context, what string, args ...string) (string, error) {
	begun := time.Now()
	out, cpu, err := b.terraform.run(ctx, args...)
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	fmt.Fprintf(b.stdout, "%-28s %6.1f s, of which Terraform and its provider computed %.1f s\n", what, time.Since(begun).Seconds(), cpu.Seconds())
	return out, nil
}

// await asks Grafana until it answers as wished, for two minutes at most.
func (b *bench) await(ctx context.Context, path string, wished func(found []any) error) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		var found []any
		err := b.grafana.get(ctx, path, &found)
		if err == nil {
			err = wished(found)
		}
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("asking Grafana: %w", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

const editedTitle = "EditedByTheBench"

// edit gives a dashboard another title.
func edit(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("editing a dashboard: %w", err)
	}
	// The dashboard's own title stands where nothing else does.
	before, after, ok := bytes.Cut(data, []byte("\n  \"title\": \""))
	if !ok {
		return fmt.Errorf("editing a dashboard: %s has no title of its own", file)
	}
	data = bytes.Join([][]byte{before, append([]byte(editedTitle+" "), after...)}, []byte("\n  \"title\": \""))
	if err := os.WriteFile(file, data, 0o644); err != nil {
		return fmt.Errorf("editing a dashboard: %w", err)
	}
	return nil
}

// A server is a running Grafana; auth is "user:password".
type server struct{ container, url, auth string }

// get asks for a JSON document.
func (s server) get(ctx context.Context, path string, v any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
	if err != nil {
		return err
	}
	user, password, _ := strings.Cut(s.auth, ":")
	request.SetBasicAuth(user, password)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", response.Status)
	}
	return json.NewDecoder(response.Body).Decode(v)
}

// start runs a Grafana with the settings that modules/grafana gives it, as far as they matter for time.
func start(ctx context.Context, image string) (server, error) {
	password := rand.Text()
	id, err := output(ctx, "docker", "run", "--detach", "--publish", "127.0.0.1::3000",
		"--env", "GF_SECURITY_ADMIN_PASSWORD="+password,
		"--env", "GF_ANALYTICS_REPORTING_ENABLED=false", "--env", "GF_ANALYTICS_CHECK_FOR_UPDATES=false",
		"--env", "GF_DATABASE_WAL=true", "--env", "GF_LOG_LEVEL=warn", image)
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
		var health struct{}
		err := s.get(ctx, "/api/health", &health)
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
