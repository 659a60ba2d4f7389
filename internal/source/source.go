// Package source lists and reads the files that commands look at, and decides which of them must be readable. A file that is named, and any file under
// dashboards/ or alerts/ of the repository, must be; elsewhere a file of another kind is passed over, but counted and named with the reason.
package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Stdin is the path that stands for standard input, and StdinName what messages call it.
const (
	Stdin     = "-"
	StdinName = "<stdin>"
)

// MaxSize is the most bytes of one file. The largest dashboard seen in public is 4 MB, and Grafana's API takes no more than 10 MB.
const MaxSize = 32 << 20

// Endings are those of the files that are looked for in directories, in lower case: dashboards, and rule files, which some call .rules.
var Endings = []string{".json", ".yaml", ".yml", ".rules"}

// RuleEndings are those of files that may hold rules.
var RuleEndings = Endings[1:]

// File is one file to look at.
type File struct {
	// Name is the path with slashes, or [StdinName].
	Name string
	// Must means that the file has to be what commands read: it was named, or lies where the repository keeps dashboards and alerts.
	Must bool
	// Named means that it was given by name, not found in a directory.
	Named bool
	// Read returns the content. It may use the buffer, if that is large enough.
	Read func(buf []byte) ([]byte, error)
}

// JSON reports whether a file holds JSON: by its name's ending; standard input, and a file with an ending of another kind, by what it begins with.
func JSON(name string, data []byte) bool {
	if name == StdinName || !slices.Contains(Endings, strings.ToLower(filepath.Ext(name))) {
		trimmed := bytes.TrimLeft(bytes.TrimPrefix(data, []byte("\ufeff")), " \t\r\n")
		return len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[')
	}
	return strings.EqualFold(filepath.Ext(name), ".json")
}

// Skip is a file that was passed over, and why.
type Skip struct {
	File   string `json:"file"`
	Reason string `json:"reason"`
}

// Lister lists files.
type Lister struct {
	// Stdin is what the path - reads.
	Stdin io.Reader
	// Ext are the endings looked for in directories, in lower case (".json"). A named file may end as it likes.
	Ext []string
}

// List gives the files under the paths, in the order given and alphabetical within a directory, none twice. Directories are walked, except hidden ones and
// node_modules; one that is named is walked whatever it is called. Symbolic links to directories are not followed. A path that does not exist is an error.
func (l Lister) List(paths []string) ([]File, error) {
	var out []File
	seen := map[string]bool{}
	for _, path := range paths {
		if path == Stdin {
			if !seen[path] {
				seen[path] = true
				out = append(out, File{Name: StdinName, Must: true, Named: true, Read: l.stdin})
			}
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("%s: no such file or directory", path)
			}
			return nil, err
		}
		top := Top(path)
		add := func(p string, named bool) {
			if p = filepath.Clean(p); !seen[p] {
				seen[p] = true
				out = append(out, File{
					Name: filepath.ToSlash(p), Named: named, Must: named || kept(top, p),
					Read: func(buf []byte) ([]byte, error) { return ReadFile(p, buf) },
				})
			}
		}
		if !info.IsDir() {
			add(path, true)
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
			if slices.Contains(l.Ext, strings.ToLower(filepath.Ext(name))) {
				if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() {
					add(p, false)
				}
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("walk %s: %w", path, err)
		}
	}
	return out, nil
}

func (l Lister) stdin([]byte) ([]byte, error) {
	if l.Stdin == nil {
		return nil, errors.New("standard input is closed")
	}
	data, err := io.ReadAll(io.LimitReader(l.Stdin, MaxSize+1))
	if err == nil && len(data) > MaxSize {
		err = tooLarge(StdinName)
	}
	return data, err
}

func tooLarge(name string) error {
	return fmt.Errorf("%s is larger than %d MiB, the most that is read of one file; Grafana refuses dashboards of a third of that", name, MaxSize>>20)
}

// ReadFile is os.ReadFile into a buffer, which refuses what is larger than [MaxSize].
func ReadFile(name string, buf []byte) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := bytes.NewBuffer(buf[:0])
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > MaxSize {
		return nil, tooLarge(name)
	}
	b.Grow(int(info.Size()) + bytes.MinRead)
	if _, err = b.ReadFrom(io.LimitReader(f, MaxSize+1)); err == nil && b.Len() > MaxSize {
		err = tooLarge(name)
	}
	return b.Bytes(), err
}

// Top is the root of the repository that a path lies in: the next directory above it that has a .git, else the working directory.
func Top(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "."
	}
	for dir := abs; ; {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			break
		}
		dir = up
	}
	wd, err := os.Getwd()
	if err != nil {
		return "."
	}
	return wd
}

// Kept reports whether a file lies under dashboards/ or alerts/ of its repository, so that it is applied together with what else lies there.
func Kept(path string) bool { return kept(Top(path), path) }

// kept reports whether a path lies under dashboards/ or alerts/ of the repository.
func kept(top, path string) bool {
	abs, err := filepath.Abs(path)
	if err != nil {
		return false
	}
	rel, err := filepath.Rel(top, abs)
	if err != nil {
		return false
	}
	first, rest, ok := strings.Cut(filepath.ToSlash(rel), "/")
	return ok && rest != "" && (first == "dashboards" || first == "alerts")
}
