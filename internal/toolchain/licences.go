package toolchain

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"lookout/internal/licences"
)

// licencesKey changes with what is allowed, so that a verdict is never older than the rules.
func licencesKey(target string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "1 %q %+v %s", licences.Allowed, licences.Rulings, target))
	return hex.EncodeToString(sum[:])[:16]
}

// Notices returns the file with the third-party notices of a part's programs, which says under which licences the modules
// are that they are linked from. It is an error if one of them may not be linked.
func (c *Cache) Notices(ctx context.Context, p Part) (string, error) {
	key, err := c.Key(ctx, p)
	if err != nil {
		return "", err
	}
	scratch, err := os.MkdirTemp("", "lookout-licences-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(scratch)
	return c.notices(p.Name, key, func() ([]licences.Module, error) {
		b := &job{src: filepath.Join(c.Tools, p.Dir), scratch: scratch,
			run: func(ctx context.Context, dir string, env []string, name string, args ...string) error {
				_, err := outputEnv(ctx, dir, env, name, args...)
				return err
			}}
		src := b.src
		if p.prepare != nil {
			if src, err = p.prepare(ctx, b); err != nil {
				return nil, err
			}
		}
		return linked(ctx, src, p.Tags, false, p.Packages...)
	})
}

// linked lists modules as builds see them.
func linked(ctx context.Context, dir, tags string, tests bool, packages ...string) ([]licences.Module, error) {
	return licences.Linked(ctx, dir, buildEnv(pureGo), tags, tests, packages...)
}

// notices keeps one verdict under its key.
func (c *Cache) notices(name, key string, list func() ([]licences.Module, error)) (string, error) {
	file := filepath.Join(c.Root, "licences", name, licencesKey(key))
	if exists(file) {
		return file, nil
	}
	modules, err := list()
	if err != nil {
		return "", err
	}
	found, err := licences.Check(modules)
	if err != nil {
		return "", fmt.Errorf("%s may not be built, because of what it is linked from:\n%w\nSee docs/adr/0014 for what is allowed and what to do", name, err)
	}
	goroot, err := output(context.Background(), c.Root, "go", "env", "GOROOT")
	if err != nil {
		return "", err
	}
	return file, WriteFile(file, []byte(licences.Notices(name, found, goroot)), 0o644)
}

// OwnNotices is Notices for packages of this repository, with those of their tests if tests is set.
func (c *Cache) OwnNotices(ctx context.Context, repo, name string, tests bool, packages ...string) (string, error) {
	args := []string{"list", "-deps", "-f", `{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{$.ImportPath}}{{end}}{{end}}`}
	if tests {
		args = append(args, "-test")
	}
	text, err := outputEnv(ctx, repo, pureGo, "go", append(args, packages...)...)
	if err != nil {
		return "", err
	}
	return c.notices(name, text, func() ([]licences.Module, error) { return linked(ctx, repo, "", tests, packages...) })
}

// Licences checks everything that is built from this repository: its own programs and tests, each part, and what developers run. report hears
// of each target that is in order.
func (c *Cache) Licences(ctx context.Context, repo string, report func(target, notices string)) error {
	var wrong []string
	add := func(target, file string, err error) {
		if err != nil {
			wrong = append(wrong, err.Error())
			return
		}
		report(target, file)
	}
	file, err := c.OwnNotices(ctx, repo, "lookout", true, "./...")
	add("lookout and its tests", file, err)
	for _, p := range append(Parts(), partLint()) {
		file, err := c.Notices(ctx, p)
		add(p.Name+" "+p.Version, file, err)
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%s", strings.Join(wrong, "\n"))
	}
	return nil
}
