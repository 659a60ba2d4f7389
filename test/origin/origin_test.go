// Package origin proves where images and providers come from: a machine that reaches nothing but a registry, as its
// engine's mirror, and a mirror of providers over TLS gets everything from there and builds no server.
//
// The registry is a real one on loopback, and holds the images of this machine under their published names: that the
// published images themselves run is proven only where there is a network. The same goes for docker.io and Terraform's
// own registry, of which the engine's and Terraform's mirrors take the place.
package origin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"lookout/internal/docker"
	"lookout/internal/toolchain"
	"lookout/test/internal/checkout"
)

// inside is set in the process that has a network of its own.
const inside = "LOOKOUT_TEST_ORIGIN_INSIDE"

// TestAMachineWithMirrors runs TestInside in a network namespace, in which nothing but loopback exists: an engine of its
// own can do there what it likes to its firewall, and nothing is fetched from elsewhere unseen.
func TestAMachineWithMirrors(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, for an engine of its own: that mirrors are used is not proven on this machine; sudo make test proves it")
	}
	// Here too, or Go would take what the other process reads for nothing that could change: see checkout.Find.
	_, err := checkout.Find()
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, "-test.run=^TestInside$", "-test.v", "-test.timeout=15m")
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = time.Minute
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	require.NoError(t, err)
	require.Contains(t, string(out), "--- PASS: TestInside", "the test in the namespace must have run")
}

// TestInside is the test itself. Outside its namespace it has nothing to do.
func TestInside(t *testing.T) {
	if os.Getenv(inside) == "" {
		t.SkipNow() // TestAMachineWithMirrors runs it
	}
	c, err := checkout.Find("envs/local/platform/images.auto.tfvars.json", ".cache/bin/registry")
	require.NoError(t, err)
	require.NoError(t, loopbackUp())
	dir, err := os.MkdirTemp("", "lookout-origin-")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })

	// What is published, on mirrors.
	const registryAddress = "127.0.0.1:5000"
	registry := start(t, dir, "registry", []string{"OTEL_TRACES_EXPORTER=none"}, filepath.Join(c.Root, ".cache/bin/registry"), registryAddress, filepath.Join(dir, "registry"))
	registry.await(t, answers("http://"+registryAddress+"/v2/"))
	for role, image := range serverImages(t, c) {
		seed(t, "http://"+registryAddress, toolchain.PublishedImages[role], image)
	}
	mirror := &providerMirror{program: providerProgram(t, c)}
	providers := httptest.NewTLSServer(mirror)
	t.Cleanup(providers.Close)
	ca := filepath.Join(dir, "ca.pem")
	require.NoError(t, os.WriteFile(ca, certificate(providers), 0o600))
	user := filepath.Join(dir, "user.tfrc")
	require.NoError(t, os.WriteFile(user, fmt.Appendf(nil, "provider_installation {\n  network_mirror {\n    url = %q\n  }\n}\n", providers.URL+"/"), 0o600))

	// An engine that knows the mirror.
	socket := "unix://" + filepath.Join(dir, "docker.sock")
	engine := start(t, dir, "dockerd", nil, "dockerd", "--data-root="+filepath.Join(dir, "data"), "--exec-root="+filepath.Join(dir, "exec"),
		"--pidfile="+filepath.Join(dir, "docker.pid"), "--host="+socket, "--registry-mirror=http://"+registryAddress)
	engine.await(t, func() error {
		_, err := docker.Run(t.Context(), "--host="+socket, "version")
		return err
	})

	// A fresh checkout with empty caches, but for Go's: modules and compiled packages of our own programs.
	repo, cache := filepath.Join(dir, "checkout"), filepath.Join(dir, "cache")
	require.NoError(t, c.CopyTracked(t.Context(), repo))
	m := machine{repo: repo, env: []string{
		"HOME=" + filepath.Join(dir, "home"), "PATH=" + filepath.Dir(c.Terraform) + ":" + os.Getenv("PATH"),
		"GOCACHE=" + goEnv(t, "GOCACHE"), "GOMODCACHE=" + goEnv(t, "GOMODCACHE"), "GOPROXY=off", "GOTOOLCHAIN=local",
		"LOOKOUT_CACHE=" + cache, "DOCKER_HOST=" + socket, "TF_CLI_CONFIG_FILE=" + user, "SSL_CERT_FILE=" + ca,
		"CHECKPOINT_DISABLE=1",
	}}
	t.Cleanup(func() {
		if out, err := m.run(context.Background(), "make", "down"); err != nil {
			t.Errorf("make down: %v\n%s", err, out)
		}
	})
	up, err := m.run(t.Context(), "make", "up")
	require.NoError(t, err, up)
	t.Log(up)
	for _, line := range []string{
		"prometheus: " + toolchain.PublishedImages["prometheus"] + ", pulled by the engine",
		"alertmanager: " + toolchain.PublishedImages["alertmanager"] + ", pulled by the engine",
		"kreuzwerker/docker " + toolchain.DockerProviderVersion + ": as published",
		// Which the mirrors do not have.
		"none: neither the engine nor a registry has " + toolchain.PublishedImages["grafana"],
		"to add one: docker load its image",
	} {
		require.Contains(t, up, line)
	}
	for _, part := range toolchain.Parts() {
		require.NoDirExists(t, filepath.Join(cache, part.Name), "no part is built where everything is published")
	}
	require.NoFileExists(t, filepath.Join(repo, ".cache/terraform.rc"), "the user's own configuration is all there is")
	require.Contains(t, mirror.asked(), "/"+registryHost(c)+"/kreuzwerker/docker/"+mirror.archive(), "the provider comes from the user's mirror")

	running, err := m.run(t.Context(), "docker", "ps", "--no-trunc", "--format", "{{.Image}}")
	require.NoError(t, err, running)
	for _, role := range []string{"prometheus", "alertmanager"} {
		id, err := m.run(t.Context(), "docker", "image", "inspect", "--format", "{{.Id}}", toolchain.PublishedImages[role])
		require.NoError(t, err, id)
		require.Contains(t, running, strings.TrimSpace(id))
	}
	// Copies of programs carry the licences of what they are linked from.
	id, err := m.run(t.Context(), "docker", "create", built(t, repo).Relay)
	require.NoError(t, err, id)
	notices := filepath.Join(dir, "notices")
	out, err := m.run(t.Context(), "docker", "cp", strings.TrimSpace(id)+":/licenses/THIRD_PARTY_NOTICES", notices)
	require.NoError(t, err, out)
	text, err := os.ReadFile(notices)
	require.NoError(t, err)
	require.Contains(t, string(text), "github.com/prometheus/client_golang ")
	out, err = m.run(t.Context(), "docker", "rm", strings.TrimSpace(id))
	require.NoError(t, err, out)

	plan, err := m.run(t.Context(), ".cache/bin/terraform", "-chdir=envs/local/platform", "plan", "-no-color", "-input=false", "-detailed-exitcode")
	require.NoError(t, err, plan)
	require.Contains(t, plan, "No changes.")

	// Its checkers come out of the images.
	for _, program := range []string{"promtool", "amtool"} {
		version, err := m.run(t.Context(), ".cache/bin/"+program, "--version")
		require.NoError(t, err, version)
	}
	origin, err := m.run(t.Context(), "make", "origin")
	require.NoError(t, err, origin)
	require.Contains(t, origin, toolchain.PublishedImages["prometheus"]+", pulled by the engine")

	// Another place is chosen only when someone says so, and one that is not to be had is an error that names it.
	wrong, err := m.run(t.Context(), "make", "init", "PROMETHEUS_IMAGE=prom/prometheus:none")
	require.Error(t, err, wrong)
	require.Contains(t, wrong, "PROMETHEUS_IMAGE=prom/prometheus:none can't be pulled")
	kept, err := m.run(t.Context(), "make", "origin")
	require.NoError(t, err, kept)
	require.Equal(t, origin, kept)
}

// loopbackUp makes 127.0.0.1 of a new namespace usable.
func loopbackUp() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, request)
}

// serverImages are the images of the servers that this machine runs, by role.
func serverImages(t *testing.T, c checkout.Checkout) map[string]string {
	t.Helper()
	images := built(t, c.Root)
	return map[string]string{"prometheus": images.Prometheus, "alertmanager": images.Alertmanager}
}

// built are the images that `make init` wrote down for a checkout's platform.
func built(t *testing.T, repo string) toolchain.Images {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(repo, "envs/local/platform/images.auto.tfvars.json"))
	require.NoError(t, err)
	var vars struct{ Images toolchain.Images }
	require.NoError(t, json.Unmarshal(data, &vars))
	return vars.Images
}

// providerProgram is the docker provider that this checkout was initialised with.
func providerProgram(t *testing.T, c checkout.Checkout) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(c.Root, "envs/local/platform/.terraform/providers/*/kreuzwerker/docker",
		toolchain.DockerProviderVersion, "*", "terraform-provider-docker*"))
	require.NoError(t, err)
	require.NotEmpty(t, files, "`make init` installs the provider")
	return files[0]
}

// registryHost is the host that Terraform, or OpenTofu, looks for a provider's mirror under.
func registryHost(c checkout.Checkout) string {
	if strings.HasPrefix(filepath.Base(c.Terraform), "tofu") {
		return "registry.opentofu.org"
	}
	return "registry.terraform.io"
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "env", name).Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}
