// Package second proves that two stacks run side by side, and that neither checkout touches the other's.
package second

import (
	"context"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lookout/internal/docker"
	"lookout/internal/stack"
	"lookout/test/internal/checkout"
)

// documented is the command of the README that starts a second stack.
var documented = regexp.MustCompile(`(?m)^ {4}(git worktree add \.\./two && make -C \.\./two up NAME=lookout-two)$`)

func TestASecondStackRunsNextToTheFirst(t *testing.T) {
	c, err := checkout.Find()
	require.NoError(t, err)
	readme, err := os.ReadFile(filepath.Join(c.Root, "README.md"))
	require.NoError(t, err)
	found := documented.FindSubmatch(readme)
	require.NotNil(t, found, "the README has no command for a second stack")
	chinese, err := os.ReadFile(filepath.Join(c.Root, "README.zh-CN.md"))
	require.NoError(t, err)
	require.Contains(t, string(chinese), string(found[1]))

	id := strings.ToLower(rand.Text()[:6])
	first, second := "lookout-"+id+"-one", "lookout-"+id+"-two"
	one := clone(t, c, "one")
	two := filepath.Join(filepath.Dir(one), "two")
	t.Cleanup(func() { clear(t, first, second) })

	must(t, one, "make up NAME="+first)
	before := running(t, first)
	require.GreaterOrEqual(t, len(before), 6)
	must(t, one, strings.ReplaceAll(string(found[1]), "NAME=lookout-two", "NAME="+second))
	require.Len(t, running(t, second), len(before))
	require.Equal(t, before, running(t, first), "the first is as it was")
	require.Contains(t, must(t, two, "make up"), "no changes", "name and ports are kept")

	// A clone that never ran: its own of that name is nothing.
	stranger := clone(t, c, "stranger")
	for _, command := range []string{"make up NAME=" + first, "make plan"} {
		out, err := run(t, stranger, command)
		require.Error(t, err, out)
		require.Contains(t, out, "belongs to the stack "+first+" of another checkout")
		require.Contains(t, out, "nothing was changed")
		require.NotContains(t, out, "will be created", "what is refused shows no plan")
	}
	require.Contains(t, must(t, stranger, "make down YES=1"), "not touched")
	require.Equal(t, before, running(t, first))

	must(t, two, "make down")
	require.Empty(t, left(t, second))
	require.Equal(t, before, running(t, first), "the first is as it was")

	moves(t, one, stranger, first)
	must(t, stranger, "make down")
	require.Empty(t, left(t, first))
}

// clone is this working tree, whether committed or not, as a repository in a folder of its own, with the choice of
// origins that this machine has made.
func clone(t *testing.T, c checkout.Checkout, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	require.NoError(t, c.CopyTracked(t.Context(), dir))
	must(t, dir, "git init --quiet --initial-branch=main && git add --all && "+
		"git -c user.name=test -c user.email=test@example.com -c commit.gpgsign=false commit --quiet --no-verify --message=tree")
	return dir
}

// running are the healthy containers of a stack by name, with their ids.
func running(t *testing.T, name string) map[string]string {
	t.Helper()
	ids := map[string]string{}
	require.Eventually(t, func() bool {
		healthy := true
		for _, o := range left(t, name) {
			if o.Kind != docker.Container || o.State != "running" {
				continue
			}
			ids[o.Name] = o.ID
			healthy = healthy && o.Health == "healthy"
		}
		return healthy
	}, time.Minute, 200*time.Millisecond, "%s is not healthy", name)
	return ids
}

// left is all that the engine holds of a stack.
func left(t *testing.T, name string) []docker.Object {
	t.Helper()
	objects, err := docker.ListAll(t.Context(), "label="+stack.LabelEnvironment+"="+name)
	require.NoError(t, err)
	return objects
}

// clear removes what a failed test leaves.
func clear(t *testing.T, names ...string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, name := range names {
		objects, err := docker.ListAll(ctx, "label="+stack.LabelEnvironment+"="+name)
		if err != nil {
			t.Error(err)
		}
		for _, o := range objects {
			if err := docker.Remove(ctx, o); err != nil {
				t.Error(err)
			}
		}
	}
}

func must(t *testing.T, dir, line string) string {
	t.Helper()
	out, err := run(t, dir, line)
	require.NoError(t, err, out)
	return out
}

// run does what a person types in a folder.
func run(t *testing.T, dir, line string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	start := time.Now()
	cmd := exec.CommandContext(ctx, "bash", "-c", line)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "ENV=local")
	out, err := cmd.CombinedOutput()
	t.Logf("%s (%s)", line, time.Since(start).Round(time.Second))
	return string(out), err
}
