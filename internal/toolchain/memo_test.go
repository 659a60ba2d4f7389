package toolchain

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is built is remembered as long as nothing that goes into it is another.
func TestImagesAreRememberedByWhatTheyAreMadeOf(t *testing.T) {
	root := t.TempDir()
	put := func(name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o644))
	}
	for _, name := range []string{"LICENSE", "app/robot/main.go", "cmd/lookout/Dockerfile", "docs/lint/a.md", "go.mod", "go.sum", "internal/x/x.go", "internal/x/page/a.html", "tools/probe/go.mod"} {
		put(name, name)
	}
	b := &ImageBuilder{Root: root, Cache: &Cache{Root: t.TempDir()}}
	all := func(context.Context, string) bool { return true }
	parts := []string{"/cache/prometheus/1"}
	require.Nil(t, b.Recall(t.Context(), "ours", parts, all), "nothing was built yet")

	built := map[string]string{"relay": "lookout/relay:1", "robot": "lookout/robot:1"}
	require.NoError(t, b.Remember(t.Context(), "ours", parts, built))
	require.Equal(t, built, b.Recall(t.Context(), "ours", parts, all))
	require.Equal(t, map[string]string{"robot": "lookout/robot:1"},
		b.Recall(t.Context(), "ours", parts, func(_ context.Context, image string) bool { return image == "lookout/robot:1" }), "the engine lost one")
	require.Nil(t, b.Recall(t.Context(), "ours", []string{"/cache/prometheus/2"}, all), "another server")

	// Nothing of this is in an image.
	put("internal/x/x_test.go", "package x")
	put("internal/x/testdata/case.json", "{}")
	put("docs/adr/0001.md", "decided")
	require.Equal(t, built, b.Recall(t.Context(), "ours", parts, all))

	for _, name := range []string{"internal/x/page/a.html", "cmd/lookout/Dockerfile", "go.sum", "docs/lint/a.md"} {
		put(name, "other")
		require.Nil(t, b.Recall(t.Context(), "ours", parts, all), name)
		put(name, name)
		require.Equal(t, built, b.Recall(t.Context(), "ours", parts, all))
	}
	put("app/robot/new.go", "package main")
	require.Nil(t, b.Recall(t.Context(), "ours", parts, all), "a new file")
	require.NoError(t, os.Remove(filepath.Join(root, "app/robot/new.go")))

	// Another checkout with the same content.
	other := &ImageBuilder{Root: filepath.Join(t.TempDir(), "other"), Cache: b.Cache}
	require.NoError(t, os.CopyFS(other.Root, os.DirFS(root)))
	require.Equal(t, built, other.Recall(t.Context(), "ours", parts, all))

	files, err := filepath.Glob(filepath.Join(b.Cache.Root, "images", "*"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	require.NoError(t, os.WriteFile(files[0], []byte("{"), 0o644))
	require.Nil(t, b.Recall(t.Context(), "ours", parts, all), "a note that was cut off")
}
