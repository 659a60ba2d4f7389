package toolchain

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// sources are the folders and files of the repository that images are made from.
var sources = []string{"LICENSE", "app", "cmd", "docs/lint", "go.mod", "go.sum", "internal", "tools"}

// A memo is what images were made of and which they are. Asking Go for each program whether it is up to date takes longer
// than reading all of their sources.
type memo struct {
	// Of is the hash of all that goes into the images.
	Of     string            `json:"of"`
	Images map[string]string `json:"images"`
}

func (b *ImageBuilder) memoFile(name string) string {
	return filepath.Join(b.Root, ".cache", "image", name+".json")
}

// Remember notes under a name which images are made from the sources as they are now; parts are the folders of programs
// that come from elsewhere.
func (b *ImageBuilder) Remember(ctx context.Context, name string, parts []string, images map[string]string) error {
	of, err := b.madeOf(ctx, parts)
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(memo{of, images}, "", "  ")
	if err != nil {
		return err
	}
	return WriteFile(b.memoFile(name), append(data, '\n'), 0o644)
}

// Recall returns the images noted under a name that were made of the very same sources, by role, as far as the engine still
// holds them; has asks it. It returns nil if the sources are others, or if any doubt is left.
func (b *ImageBuilder) Recall(ctx context.Context, name string, parts []string, has func(context.Context, string) bool) map[string]string {
	data, err := os.ReadFile(b.memoFile(name))
	if err != nil {
		return nil
	}
	var m memo
	if err := json.Unmarshal(data, &m); err != nil {
		return nil
	}
	if of, err := b.madeOf(ctx, parts); err != nil || of != m.Of {
		return nil
	}
	for role, image := range m.Images {
		if !has(ctx, image) {
			delete(m.Images, role)
		}
	}
	return m.Images
}

// madeOf hashes everything that goes into the images: sources, the compiler's version, the last commit, which is stamped
// into programs, certificates, and the folders of parts, whose names are hashes already.
func (b *ImageBuilder) madeOf(ctx context.Context, parts []string) (string, error) {
	bundle, err := caBundle()
	if err != nil {
		return "", err
	}
	commit, err := output(ctx, b.Root, "git", "rev-parse", "HEAD")
	if err != nil {
		commit = "unknown"
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\n%s\n%s\n", runtime.Version(), commit, strings.Join(parts, "\n"))
	if err := hashFile(sum, bundle, bundle); err != nil {
		return "", err
	}
	for _, name := range sources {
		err := filepath.WalkDir(filepath.Join(b.Root, name), func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir() && entry.Name() == "testdata":
				return filepath.SkipDir
			case !entry.Type().IsRegular() || strings.HasSuffix(path, "_test.go"):
				return nil
			}
			rel, err := filepath.Rel(b.Root, path)
			if err != nil {
				return err
			}
			return hashFile(sum, rel, path)
		})
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func hashFile(sum hash.Hash, name, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	content := sha256.New()
	n, err := io.Copy(content, f)
	if err != nil {
		return err
	}
	fmt.Fprintf(sum, "%s %d %x\n", name, n, content.Sum(nil))
	return nil
}
