// Package checkout finds what `make init` has laid into this checkout, and copies of its files that
// tests may change without touching the checkout itself.
package checkout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"lookout/internal/rules"
	"lookout/internal/shipped"
)

// A Checkout is an initialised working tree.
type Checkout struct {
	// Root is its folder.
	Root string
	// Terraform is the program that `make init` chose: Terraform or OpenTofu.
	Terraform string
	// CLIConfig is the CLI configuration that names the providers' mirror, or "" where they come from
	// the registry.
	CLIConfig string
}

// Find returns the checkout that the working directory is in. Its error says what to do if `make init`
// has not run; needed are further files, relative to the root, that it has to have written.
//
// Go runs a test again if what it reads has changed, and knows nothing of an engine, a Terraform or a stack. So each run of
// `make test` sets LOOKOUT_TEST_RUN to another value, and whoever asks for a checkout reads it.
func Find(needed ...string) (Checkout, error) {
	_ = os.Getenv("LOOKOUT_TEST_RUN")
	dir, err := os.Getwd()
	if err != nil {
		return Checkout{}, err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			return Checkout{}, errors.New("no go.mod in any folder above: run the tests inside a checkout of Lookout")
		}
		dir = filepath.Dir(dir)
	}
	c := Checkout{Root: dir}
	for _, name := range append([]string{".cache/bin/terraform"}, needed...) {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return Checkout{}, fmt.Errorf("this checkout is not initialised, %s is missing: run `make init` first", name)
		}
	}
	if c.Terraform, err = filepath.EvalSymlinks(filepath.Join(dir, ".cache/bin/terraform")); err != nil {
		return Checkout{}, err
	}
	if rc := filepath.Join(dir, ".cache/terraform.rc"); exists(rc) {
		c.CLIConfig = rc
	}
	return c, nil
}

// Environ is what Terraform is to be run with, beside the test's own environment.
func (c Checkout) Environ() map[string]string {
	env := map[string]string{
		"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_INPUT": "0",
		// Terraform and its providers are started hundreds of times and end before their garbage matters:
		// collecting it less often saves a sixth of what a plan costs.
		"GOGC": "400",
	}
	if c.CLIConfig != "" {
		env["TF_CLI_CONFIG_FILE"] = c.CLIConfig
	}
	return env
}

// Copy copies folders of the checkout into another one, without what belongs to a machine or to a
// running environment: states, secrets, provider folders.
func (c Checkout) Copy(to string, folders ...string) error {
	for _, folder := range folders {
		err := filepath.WalkDir(filepath.Join(c.Root, folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				// Another process may write its temporary files meanwhile.
				if errors.Is(err, fs.ErrNotExist) {
					return nil
				}
				return err
			}
			name := entry.Name()
			rel, err := filepath.Rel(c.Root, path)
			if err != nil {
				return err
			}
			switch {
			case entry.IsDir() && (name == ".terraform" || name == "secrets"):
				return fs.SkipDir
			case entry.IsDir():
				return os.MkdirAll(filepath.Join(to, rel), 0o755)
			case strings.Contains(name, ".tfstate") || strings.HasSuffix(name, ".tfplan"), strings.HasSuffix(name, ".auto.tfvars.json"):
				return nil
			case name == ".terraform.lock.hcl" && folder != "envs" && !strings.HasPrefix(folder, "envs/"):
				// Only roots are locked; one beside a module was left by a trial of old.
				return nil
			case !entry.Type().IsRegular():
				return fmt.Errorf("%s is neither file nor folder: nothing here expects that", path)
			}
			return CopyFile(path, filepath.Join(to, rel))
		})
		if err != nil {
			return fmt.Errorf("copying %s: %w", folder, err)
		}
	}
	return nil
}

// CopyOwn is Copy of what Lookout comes with: without alerts and dashboards that a person has added, what they say of those in
// envs/, and the values of their own variables. What proves Lookout stands on this.
func (c Checkout) CopyOwn(to string, folders ...string) error {
	if err := c.Copy(to, folders...); err != nil {
		return err
	}
	names := map[string]bool{}
	for _, file := range shipped.Files() {
		data, err := os.ReadFile(filepath.Join(to, file))
		if err != nil || !strings.HasPrefix(file, "alerts/") {
			continue
		}
		for _, r := range rules.Read(file, data).Groups {
			names[r.Name] = true
			for _, one := range r.Rules {
				names[one.Alert] = true
			}
		}
	}
	return filepath.WalkDir(to, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		rel, err := filepath.Rel(to, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		top, _, _ := strings.Cut(rel, "/")
		switch name := entry.Name(); {
		case (top == "alerts" || top == "dashboards" || top == "slos") && (strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".json")) && rel != "dashboards/lock.json" && !shipped.Has(rel):
			return os.Remove(path)
		case top == "envs" && strings.Contains(name, ".tfvars"):
			return os.Remove(path)
		case top == "envs" && name == "alerts.yaml":
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			own, err := shipped.Settings(data, names)
			if err != nil {
				return err
			}
			return os.WriteFile(path, own, 0o644)
		}
		return nil
	})
}

// CopyTracked copies what is or would be committed, so neither state nor caches.
func (c Checkout) CopyTracked(ctx context.Context, to string) error {
	list := exec.CommandContext(ctx, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = c.Root
	out, err := list.Output()
	if err != nil {
		return fmt.Errorf("git ls-files: %w", err)
	}
	for file := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(to, file)), 0o755); err != nil {
			return err
		}
		if err := CopyFile(filepath.Join(c.Root, file), filepath.Join(to, file)); err != nil {
			return err
		}
	}
	return nil
}

// CopyFile copies one file with its mode, unless it is gone; the folder must exist.
func CopyFile(from, to string) error {
	in, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, info.Mode().Perm())
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		_ = out.Close()
		return err
	}
	return out.Close()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
