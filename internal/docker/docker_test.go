package docker_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lookout/internal/docker"
)

// name is a prefix of the test's own.
func name() string { return "lookout-docker-test-" + strings.ToLower(rand.Text()[:8]) }

// image builds an image with nothing in it but a file: enough to create a container.
func image(t *testing.T) string {
	t.Helper()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for file, text := range map[string]string{"Dockerfile": "FROM scratch\nCOPY Dockerfile /Dockerfile\nCMD [\"/none\"]\n"} {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: file, Mode: 0o644, Size: int64(len(text))}))
		_, err := w.Write([]byte(text))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	image := "lookout/" + name() + ":1"
	require.NoError(t, docker.Build(t.Context(), image, map[string]string{"lookout.test": "yes"}, &archive))
	t.Cleanup(func() {
		_, err := docker.Run(context.Background(), "image", "rm", "--force", image)
		require.NoError(t, err)
	})
	return image
}

func TestObjectsAreListedByLabelAndRemoved(t *testing.T) {
	image, prefix := image(t), name()
	require.True(t, docker.HasImage(t.Context(), image))
	require.False(t, docker.HasImage(t.Context(), image+"none"))
	label := "lookout.test=" + prefix
	before := time.Now().Add(-2 * time.Second)
	for _, args := range [][]string{
		{"container", "create", "--name", prefix + "-b", "--label", label, image},
		{"container", "create", "--name", prefix + "-a", "--label", label, image},
		{"network", "create", "--label", label, prefix},
		{"volume", "create", "--label", label, prefix + "-data"},
	} {
		_, err := docker.Run(t.Context(), args...)
		require.NoError(t, err)
	}
	t.Cleanup(func() {
		left, err := docker.ListAll(context.Background(), "label="+label)
		require.NoError(t, err)
		for _, o := range left {
			require.NoError(t, docker.Remove(context.Background(), o))
		}
	})
	all, err := docker.ListAll(t.Context(), "label="+label)
	require.NoError(t, err)
	var words []string
	for _, o := range all {
		words = append(words, o.String())
		require.NotEmpty(t, o.ID, o)
		require.Equal(t, prefix, o.Labels["lookout.test"], o)
		require.True(t, o.Created.After(before), "%s: created %s", o, o.Created)
	}
	require.Equal(t, []string{"container " + prefix + "-a", "container " + prefix + "-b", "network " + prefix, "volume " + prefix + "-data"}, words)
	require.Equal(t, image, all[0].Image)
	require.Equal(t, "created", all[0].State)

	for _, o := range all {
		require.NoError(t, docker.Remove(t.Context(), o))
		require.NoError(t, docker.Remove(t.Context(), o), "what is gone is removed: %s", o)
	}
	left, err := docker.Inspect(t.Context(), docker.Container, all[0].ID, all[1].ID)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestASavedImageCanBeLoaded(t *testing.T) {
	image := image(t)
	archive, err := docker.Save(t.Context(), image)
	require.NoError(t, err)
	_, err = docker.Run(t.Context(), "image", "rm", image)
	require.NoError(t, err)
	require.False(t, docker.HasImage(t.Context(), image))
	require.NoError(t, docker.Load(t.Context(), bytes.NewReader(archive)))
	require.True(t, docker.HasImage(t.Context(), image))
	_, err = docker.Save(t.Context(), image+"none")
	require.ErrorContains(t, err, "docker save")
}

func TestAFailureSaysWhatTheClientSaid(t *testing.T) {
	_, err := docker.Run(t.Context(), "container", "start", name())
	require.ErrorContains(t, err, "docker container start")
	require.ErrorContains(t, err, "No such container")

	t.Setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
	_, err = docker.Version(t.Context())
	require.ErrorContains(t, err, "127.0.0.1:1")
	_, err = docker.List(t.Context(), docker.Container)
	require.Error(t, err)
	require.Error(t, docker.Remove(t.Context(), docker.Object{Kind: docker.Container, ID: "x", Name: "x"}), "an engine that does not answer is not an object that is gone")
}

// One place calls the client, so that what its answers and errors mean is decided once.
func TestNothingElseCallsTheClient(t *testing.T) {
	root := "../.."
	looked := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && path != root || path == filepath.Join(root, "internal", "docker")) {
			return fs.SkipDir
		}
		if entry.IsDir() || filepath.Ext(path) != ".go" {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		looked++
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			f, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || f.Sel.Name != "Command" && f.Sel.Name != "CommandContext" {
				return true
			}
			if pkg, ok := f.X.(*ast.Ident); !ok || pkg.Name != "exec" {
				return true
			}
			program := call.Args[strings.Count(f.Sel.Name, "Context")]
			if lit, ok := program.(*ast.BasicLit); ok && lit.Value == `"docker"` {
				t.Errorf("%s calls the Docker client: internal/docker does that", path)
			}
			return true
		})
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, looked, 100)
}

func TestMain(m *testing.M) {
	if _, err := docker.Version(context.Background()); err != nil {
		// What makes environments needs an engine, so a machine without one is not one that tests can pass on.
		os.Stderr.WriteString("the Docker Engine does not answer: `make init` installs and starts it\n")
		os.Exit(1)
	}
	os.Exit(m.Run())
}
