package environment

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"lookout/internal/stack"
)

// template is the environment that new ones are copies of.
const template = "staging"

// environmentNames are what an environment may be called: its folder, its label on every alert, and the end of the
// stack's name.
var environmentNames = regexp.MustCompile(`^[a-z][a-z0-9-]{0,19}$`)

// New writes envs/<name>, a copy of staging with names, state keys and ports of its own, and returns its folder within
// the repository. Nothing is written if the name cannot be used.
func New(repo, name string) (dir string, err error) {
	names, err := Names(repo)
	if err != nil {
		return "", err
	}
	dir = "envs/" + name
	switch {
	case name == "":
		return "", errors.New("give the environment a name: make new-env NAME=qa")
	case !environmentNames.MatchString(name) || strings.HasSuffix(name, "-"):
		return "", fmt.Errorf("NAME=%q is not a valid environment name: use at most 20 lower-case letters, digits and dashes, "+
			"beginning with a letter", name)
	case exists(filepath.Join(repo, dir)):
		return "", fmt.Errorf("NAME=%s is taken: %s exists already; choose another name", name, dir)
	case !slices.Contains(names, template):
		return "", fmt.Errorf("envs/%s, which new environments are copies of, is not here", template)
	}
	files, err := templateFiles(filepath.Join(repo, "envs", template))
	if err != nil {
		return "", err
	}
	ports, err := environmentPorts(repo, names, files)
	if err != nil {
		return "", err
	}
	rename := regexp.MustCompile(`\b` + template + `\b`)
	tmp, err := os.MkdirTemp(filepath.Join(repo, "envs"), ".new-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	for rel, data := range files {
		data = rename.ReplaceAll(data, []byte(name))
		data = number.ReplaceAllFunc(data, func(n []byte) []byte {
			if to, ok := ports[string(n)]; ok {
				return []byte(to)
			}
			return n
		})
		target := filepath.Join(tmp, rel)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(target, data, 0o644); err != nil {
			return "", err
		}
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return "", err
	}
	return dir, os.Rename(tmp, filepath.Join(repo, dir))
}

var number = regexp.MustCompile(`\b[0-9]{4,5}\b`)

// unwanted are files of the template that are about the template alone.
var unwanted = []string{".terraform.lock.hcl", "backend.hcl", "moved.tf"}

// templateFiles are the files of an environment that belong to the repository, by their path within it, without
// moved.tf, which is about stacks that exist.
func templateFiles(root string) (map[string][]byte, error) {
	files := map[string][]byte{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		switch {
		case entry.IsDir() && (name == ".terraform" || name == "secrets"):
			return fs.SkipDir
		case entry.IsDir(), slices.Contains(unwanted, name), strings.HasSuffix(name, ".auto.tfvars.json"), strings.Contains(name, ".tfstate"):
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		files[rel], err = os.ReadFile(path)
		return err
	})
	return files, err
}

// environmentPorts gives each port of the template one for the new environment: as far from the default ones as no
// environment's are, with nothing listening there.
func environmentPorts(repo string, names []string, files map[string][]byte) (map[string]string, error) {
	taken := map[string]bool{}
	for _, name := range names {
		others, err := templateFiles(filepath.Join(repo, "envs", name))
		if err != nil {
			return nil, err
		}
		for _, data := range others {
			for _, n := range number.FindAll(data, -1) {
				taken[string(n)] = true
			}
		}
	}
	used := func(offset int) bool {
		for _, s := range stack.Services {
			port := strconv.Itoa(s.Port + offset)
			if taken[port] || free(net.JoinHostPort("127.0.0.1", port)) != nil {
				return true
			}
		}
		return false
	}
	from, ok := templateOffset(files)
	if !ok {
		return nil, fmt.Errorf("envs/%s names no ports that lie as far from the default ones as each other", template)
	}
	for offset := 2; offset < 1000; offset++ {
		if used(offset) || overlaps(offset) {
			continue
		}
		ports := map[string]string{}
		for _, s := range stack.Services {
			ports[strconv.Itoa(s.Port+from)] = strconv.Itoa(s.Port + offset)
		}
		return ports, nil
	}
	return nil, errors.New("no free ports for another environment")
}

// overlaps reports whether one service's port, moved by an offset, is another's default.
func overlaps(offset int) bool {
	for _, s := range stack.Services {
		for _, other := range stack.Services {
			if s.Port+offset == other.Port {
				return true
			}
		}
	}
	return false
}

// templateOffset is how far the template's ports are from the default ones.
func templateOffset(files map[string][]byte) (int, bool) {
	all := bytes.Join(slices.Collect(maps.Values(files)), []byte("\n"))
	prometheus, _ := stack.Named("prometheus")
	relay, _ := stack.Named("relay")
	for offset := 1; offset < 1000; offset++ {
		if has(all, prometheus.Port+offset) && has(all, relay.Port+offset) {
			return offset, true
		}
	}
	return 0, false
}

func has(text []byte, port int) bool {
	return regexp.MustCompile(`\b` + strconv.Itoa(port) + `\b`).Match(text)
}
