package toolchain

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A Need is a program of the operating system that something can't do without.
type Need struct {
	// Programs are the names to look for on the PATH; one of them is enough.
	Programs []string
	// Packages are Debian's packages that bring it.
	Packages []string
	// For says what it is needed for, as the end of "needed …".
	For string
}

// NeedBrowser is for the tests that look at pages.
var NeedBrowser = Need{Programs: []string{"chromium", "chromium-browser", "google-chrome"}, Packages: []string{"chromium"}, For: "to test pages in a real browser"}

// NeedPostgreSQL is for the tests of two relays, which start a server of their own. Debian keeps the server's programs off the
// PATH; pg_ctlcluster is there with them.
var NeedPostgreSQL = Need{Programs: []string{"pg_ctlcluster", "initdb"}, Packages: []string{"postgresql"}, For: "to test two relays that share one"}

// Ensure installs what a need lacks, if it may: as root, on Debian or Ubuntu. Elsewhere the error says
// what to install.
func Ensure(ctx context.Context, p *Progress, n Need) error {
	for _, program := range n.Programs {
		if _, err := exec.LookPath(program); err == nil {
			return nil
		}
	}
	if os.Geteuid() != 0 || !debianLike() {
		return fmt.Errorf("%s is not on the PATH and is needed %s: install it (Debian: apt-get install %s) and run this again",
			n.Programs[0], n.For, strings.Join(n.Packages, " "))
	}
	p.Note(fmt.Sprintf("%s is missing, needed %s: installing %s, as root", n.Programs[0], n.For, strings.Join(n.Packages, " ")))
	return aptInstall(ctx, p, n.Packages)
}

func debianLike() bool {
	data, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(data)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		value = strings.Trim(value, `"`)
		if (key == "ID" || key == "ID_LIKE") && (strings.Contains(value, "debian") || strings.Contains(value, "ubuntu")) {
			return true
		}
	}
	return false
}

func aptInstall(ctx context.Context, p *Progress, packages []string) error {
	// A second apt would not wait for the first but fail.
	unlock, err := Lock(ctx, filepath.Join(os.TempDir(), "lookout-apt.lock"), func() {
		p.Note("other packages are being installed; waiting for that")
	})
	if err != nil {
		return err
	}
	defer unlock()
	log, err := os.CreateTemp("", "lookout-apt-*.log")
	if err != nil {
		return err
	}
	defer log.Close()
	stop := p.Working("installing "+strings.Join(packages, " "), log.Name())
	defer stop()
	env := append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	for _, args := range [][]string{
		{"apt-get", "update", "-q"},
		append([]string{"apt-get", "install", "-y", "-q", "--no-install-recommends"}, packages...),
	} {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Env, cmd.Stdout, cmd.Stderr = env, log, log
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s failed (%w):\n%s\ninstall it by hand and run this again", strings.Join(args, " "), err, tail(log.Name(), 5))
		}
	}
	return nil
}

// A Package is one of the operating system's.
type Package struct {
	Name string
	// Bytes are what it takes on disk, without what it depends on.
	Bytes int64
}

// InstalledPackages are those of Debian's packages here that Lookout installs where they are missing; whether it did is not known.
// None where there is no dpkg.
func InstalledPackages(ctx context.Context) (all []Package) {
	names := slices.Concat(enginePackages, NeedBrowser.Packages, NeedPostgreSQL.Packages)
	args := append([]string{"--show", "--showformat=${Package} ${Installed-Size} ${db:Status-Status}\n"}, names...)
	// It fails if one of them was never installed, and prints the others.
	out, _ := exec.CommandContext(ctx, "dpkg-query", args...).Output()
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[2] != "installed" {
			continue
		}
		if kibibytes, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
			all = append(all, Package{Name: fields[0], Bytes: kibibytes << 10})
		}
	}
	return all
}
