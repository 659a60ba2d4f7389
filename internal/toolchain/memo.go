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
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// sources are the folders and files of the repository that images are made from.
var sources = []string{"LICENSE", "app", "cmd", "docs/lint", "go.mod", "go.sum", "internal", "tools"}

// memo is where it is noted which images were made of the same content: in the cache, for every checkout that holds it. Asking
// Go for each program whether it is up to date takes longer than reading all of their sources.
func (b *ImageBuilder) memo(name, of string) string {
	return filepath.Join(b.Cache.Root, "images", name+"-"+of[:16]+".json")
}

// Remember notes under a name which images are made from the sources as they are now; parts are the folders of programs
// that come from elsewhere.
func (b *ImageBuilder) Remember(ctx context.Context, name string, parts []string, images map[string]string) error {
	of, err := b.madeOf(ctx, parts)
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(images, "", "  ")
	if err != nil {
		return err
	}
	return WriteFile(b.memo(name, of), append(data, '\n'), 0o644)
}

// Recall returns the images noted under a name that were made of the very same sources, by role, as far as the engine still
// holds them; has asks it. It returns nil if there are none, or if any doubt is left.
func (b *ImageBuilder) Recall(ctx context.Context, name string, parts []string, has func(context.Context, string) bool) map[string]string {
	of, err := b.madeOf(ctx, parts)
	if err != nil {
		return nil
	}
	data, err := os.ReadFile(b.memo(name, of))
	if err != nil {
		return nil
	}
	var images map[string]string
	if err := json.Unmarshal(data, &images); err != nil {
		return nil
	}
	maps.DeleteFunc(images, func(_, image string) bool { return !has(ctx, image) })
	return images
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
