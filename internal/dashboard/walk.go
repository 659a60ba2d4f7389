package dashboard

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Found is what [Find] saw.
type Found struct {
	// Files are the JSON files, in the order given and alphabetical within a directory, none twice.
	Files []string
	// Named tells which of them were given by name rather than found in a directory.
	Named map[string]bool
}

// Find lists the JSON files under the given files and directories. Directories are walked, except hidden ones (.git, .terraform) and node_modules;
// symbolic links to directories are not followed. A path that does not exist is an error.
func Find(paths []string) (Found, error) { return FindExt(paths, ".json") }

// FindExt is Find for other endings (".yaml"), in lower case.
func FindExt(paths []string, exts ...string) (Found, error) {
	found := Found{Named: map[string]bool{}}
	seen := map[string]bool{}
	add := func(p string) {
		if p = filepath.Clean(p); !seen[p] {
			seen[p] = true
			found.Files = append(found.Files, p)
		}
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return found, fmt.Errorf("%s: no such file or directory", path)
			}
			return found, err
		}
		if !info.IsDir() {
			add(path)
			found.Named[filepath.Clean(path)] = true
			continue
		}
		err = filepath.WalkDir(path, func(p string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			name := e.Name()
			if e.IsDir() {
				if p != path && (strings.HasPrefix(name, ".") && name != "." && name != ".." || name == "node_modules") {
					return fs.SkipDir
				}
				return nil
			}
			if slices.Contains(exts, strings.ToLower(filepath.Ext(name))) {
				if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() {
					add(p)
				}
			}
			return nil
		})
		if err != nil {
			return found, fmt.Errorf("walk %s: %w", path, err)
		}
	}
	return found, nil
}

// Loaded is the result of reading one file of [Found].
type Loaded struct {
	File      string
	Dashboard *Dashboard // nil if Err is set
	// Err is *[SyntaxError] or [ErrNotDashboard] or an error of reading.
	Err error
}

// LoadFile reads a file from disk.
func LoadFile(path string) Loaded {
	data, err := os.ReadFile(path)
	if err != nil {
		return Loaded{File: path, Err: err}
	}
	d, err := Load(filepath.ToSlash(path), data)
	return Loaded{File: path, Dashboard: d, Err: err}
}
