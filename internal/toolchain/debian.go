package toolchain

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// debianRecipe changes whenever the way of making a root file system does.
const debianRecipe = "2"

// debianSkipped are packages that others depend on in order to be installed and configured, or for what samples do without.
var debianSkipped = []string{"adduser", "debconf", "dpkg", "init-system-helpers", "libpam-modules", "libpam-modules-bin", "login", "libllvm14", "lsb-base", "passwd",
	"perl", "perl-modules-5.36", "libperl5.36", "postgresql-common", "postgresql-client-common", "libz3-4", "sysvinit-utils", "tar", "ucf", "usrmerge"}

// listsStay is how long the lists of packages are good for.
const listsStay = time.Hour

// debianRoot returns a tar file with the files of Debian's packages and of all that they depend on, as apt resolves and
// verifies them. No script of a package is run. It needs no privileges, and touches nothing of this machine's own packages.
func (c *Cache) debianRoot(ctx context.Context, name string, packages []string) (string, error) {
	for _, program := range []string{"apt-get", "dpkg-deb"} {
		if _, err := exec.LookPath(program); err != nil {
			return "", errors.New("no registry has it, and without apt-get and dpkg-deb it can't be made of Debian's packages here")
		}
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %q %q", debianRecipe, runtime.GOARCH, packages, debianSkipped))
	dir := filepath.Join(c.Root, "debian", name)
	file := filepath.Join(dir, hex.EncodeToString(sum[:])[:16]+".tar")
	if exists(file) {
		return file, nil
	}
	unlock, err := Lock(ctx, filepath.Join(c.Root, "debian", ".lock"), func() {
		c.Progress.Note("another process gets packages of Debian; waiting for it")
	})
	if err != nil {
		return "", err
	}
	defer unlock()
	if exists(file) {
		return file, nil
	}
	work := filepath.Join(dir, ".building")
	if err := os.RemoveAll(work); err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	// The lists of packages are fetched for all of them at once.
	lists := filepath.Join(c.Root, "debian", ".lists")
	for _, d := range []string{filepath.Join(work, "root"), filepath.Join(work, "cache/archives/partial"), filepath.Join(lists, "lists/partial")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return "", err
		}
	}
	logPath := filepath.Join(dir, "build.log")
	log, err := os.Create(logPath)
	if err != nil {
		return "", err
	}
	defer log.Close()
	stop := c.Progress.Working("fetching Debian's packages of "+name, logPath)
	defer stop()
	// As if nothing were installed, so that everything that is needed comes along.
	if err := os.WriteFile(filepath.Join(work, "status"), nil, 0o644); err != nil {
		return "", err
	}
	run := func(program string, args ...string) error {
		if err := runLogged(ctx, log, work, []string{"DEBIAN_FRONTEND=noninteractive", "LC_ALL=C"}, program, args...); err != nil {
			return fmt.Errorf("%w\n%s\nthe whole log: %s", err, tail(logPath, 5), logPath)
		}
		return nil
	}
	apt := []string{"-q", "-y", "-o", "Dir::State=" + lists, "-o", "Dir::State::status=" + filepath.Join(work, "status"),
		"-o", "Dir::Cache=" + filepath.Join(work, "cache"), "-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=root",
		"-o", "APT::Install-Recommends=false"}
	if stamp, err := os.Stat(filepath.Join(lists, "updated")); err != nil || time.Since(stamp.ModTime()) > listsStay {
		if err := run("apt-get", slices.Concat(apt, []string{"update"})...); err != nil {
			return "", err
		}
		if err := WriteFile(filepath.Join(lists, "updated"), nil, 0o644); err != nil {
			return "", err
		}
	}
	if err := run("apt-get", slices.Concat(apt, []string{"install", "--download-only"}, packages)...); err != nil {
		return "", err
	}
	archives, err := filepath.Glob(filepath.Join(work, "cache", "archives", "*.deb"))
	if err != nil {
		return "", err
	}
	for _, archive := range archives {
		if pkg, _, _ := strings.Cut(filepath.Base(archive), "_"); slices.Contains(debianSkipped, pkg) {
			continue
		}
		if err := run("dpkg-deb", "-x", archive, "root"); err != nil {
			return "", err
		}
	}
	for _, pattern := range []string{"usr/share/man", "usr/share/locale", "usr/share/info", "usr/share/lintian", "usr/share/bash-completion", "var/cache",
		"usr/lib/jvm/*/jmods", "usr/lib/postgresql/*/lib/bitcode"} {
		unneeded, err := filepath.Glob(filepath.Join(work, "root", pattern))
		if err != nil {
			return "", err
		}
		for _, path := range unneeded {
			if err := os.RemoveAll(path); err != nil {
				return "", err
			}
		}
	}
	if err := run("tar", "--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "-cf", "root.tar", "-C", "root", "."); err != nil {
		return "", err
	}
	return file, os.Rename(filepath.Join(work, "root.tar"), file)
}
