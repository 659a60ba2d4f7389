// Package state plans with each way to keep Terraform's state that docs/operations.md shows, against a server of that kind.
package state

import (
	"bytes"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lookout/test/internal/checkout"
)

// snippets are the blocks of Terraform below the page's headings about state, by the type of their backend.
func snippets(t *testing.T, root string) map[string]string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs/operations.md"))
	require.NoError(t, err)
	all := map[string]string{}
	for _, m := range regexp.MustCompile("(?ms)^```hcl\n(backend \"([a-z0-9]+)\" \\{\n.*?^\\})\n```$").FindAllStringSubmatch(string(page), -1) {
		all[m[2]] = m[1]
	}
	return all
}

// TestEveryBackendOfThePageIsPlanned applies a root with each backend, and plans it from a second folder: what it finds there can only
// have come from the server.
func TestEveryBackendOfThePageIsPlanned(t *testing.T) {
	c, err := checkout.Find()
	require.NoError(t, err)
	found := snippets(t, c.Root)
	servers := map[string]func(t *testing.T, block string) (string, []string){
		"http": func(t *testing.T, block string) (string, []string) {
			s := httptest.NewServer(&stateServer{t: t})
			t.Cleanup(s.Close)
			return strings.ReplaceAll(block, "https://state.example.com", s.URL), []string{"TF_HTTP_USERNAME=lookout", "TF_HTTP_PASSWORD=secret"}
		},
		"local": func(t *testing.T, block string) (string, []string) {
			return strings.ReplaceAll(block, "/srv/lookout", t.TempDir()), nil
		},
		"oss": func(t *testing.T, block string) (string, []string) {
			s := httptest.NewServer(&bucket{t: t, name: "example-terraform-state", sign: "OSS "})
			t.Cleanup(s.Close)
			return regexp.MustCompile(`https://oss-[a-z0-9-]+\.aliyuncs\.com`).ReplaceAllLiteralString(block, s.URL),
				[]string{"ALICLOUD_ACCESS_KEY=key", "ALICLOUD_SECRET_KEY=secret"}
		},
		"pg": func(t *testing.T, block string) (string, []string) {
			return block, []string{"PG_CONN_STR=" + postgres(t)}
		},
		"s3": func(t *testing.T, block string) (string, []string) {
			s := httptest.NewServer(&bucket{t: t, name: "example-terraform-state", sign: "AWS4-HMAC-SHA256 "})
			t.Cleanup(s.Close)
			return strings.ReplaceAll(block, "https://minio.example.com", s.URL), []string{"AWS_ACCESS_KEY_ID=key", "AWS_SECRET_ACCESS_KEY=secret"}
		},
	}
	require.Len(t, found, len(servers), "the page's backends are those that are tried here")
	for kind, start := range servers {
		t.Run(kind, func(t *testing.T) {
			require.Contains(t, found, kind)
			block, environ := start(t, found[kind])
			root := func(value string) string {
				dir := t.TempDir()
				text := fmt.Sprintf("terraform {\n%s\n}\n\nresource \"terraform_data\" \"it\" {\n  input = %q\n}\n", block, value)
				require.NoError(t, os.WriteFile(filepath.Join(dir, "main.tf"), []byte(text), 0o600))
				_, err := terraform(t, c, dir, environ, "init")
				require.NoError(t, err)
				return dir
			}
			first := root("one")
			_, err := terraform(t, c, first, environ, "apply", "-auto-approve")
			require.NoError(t, err)
			require.NoFileExists(t, filepath.Join(first, "terraform.tfstate"))
			// What a second machine finds: nothing to do for the same, and the difference for another.
			out, err := terraform(t, c, root("one"), environ, "plan", "-detailed-exitcode")
			require.NoError(t, err, out)
			out, err = terraform(t, c, root("two"), environ, "plan", "-detailed-exitcode")
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit)
			require.Equal(t, 2, exit.ExitCode(), out)
			require.Contains(t, out, `"one" -> "two"`)
		})
	}
}

func terraform(t *testing.T, c checkout.Checkout, dir string, environ []string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), c.Terraform, append([]string{args[0], "-no-color", "-input=false"}, args[1:]...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), environ...)
	cmd.Env = append(cmd.Env, "CHECKPOINT_DISABLE=1", "AWS_EC2_METADATA_DISABLED=true")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Logf("terraform %s: %s", args[0], out)
	}
	return string(out), err
}

// postgres starts a PostgreSQL and returns its address, with user and password.
func postgres(t *testing.T) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	require.NotEmpty(t, found, "there is no PostgreSQL to test with: make test installs it (Debian: apt-get install postgresql)")
	bin := filepath.Dir(found[len(found)-1])
	dir := t.TempDir()
	attributes := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() == 0 {
		// The server refuses to run as root.
		u, err := user.Lookup("postgres")
		require.NoError(t, err)
		uid, err := strconv.Atoi(u.Uid)
		require.NoError(t, err)
		gid, err := strconv.Atoi(u.Gid)
		require.NoError(t, err)
		attributes.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		require.NoError(t, os.Chown(dir, uid, gid))
		require.NoError(t, os.Chmod(filepath.Dir(dir), 0o711))
	}
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(bin, name), args...)
		cmd.Dir, cmd.SysProcAttr = dir, attributes
		cmd.Env = []string{"LC_ALL=C", "TZ=UTC", "PATH=" + os.Getenv("PATH"), "PGUSER=lookout"}
		return cmd
	}
	data := filepath.Join(dir, "data")
	out, err := command("initdb", "-D", data, "-U", "lookout", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions").CombinedOutput()
	require.NoError(t, err, string(out))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := l.Addr().(*net.TCPAddr).Port
	require.NoError(t, l.Close())
	server := command("postgres", "-D", data, "-h", "127.0.0.1", "-p", strconv.Itoa(port), "-k", "", "-c", "fsync=off", "-c", "shared_buffers=16MB", "-c", "max_connections=10")
	var log bytes.Buffer
	server.Stdout, server.Stderr = &log, &log
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGQUIT)
		_ = server.Wait()
	})
	var ready []byte
	require.Eventually(t, func() bool {
		ready, err = command("pg_isready", "-h", "127.0.0.1", "-p", strconv.Itoa(port)).CombinedOutput()
		return err == nil
	}, time.Minute, 50*time.Millisecond, "PostgreSQL does not answer: %s", ready)
	return fmt.Sprintf("postgres://lookout@127.0.0.1:%d/postgres?sslmode=disable", port)
}
