// Package checkout finds what `make init` has laid into this checkout, and copies of its files that
// tests may change without touching the checkout itself.
package checkout

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
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
func Find(needed ...string) (Checkout, error) {
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

// CopyFile copies one file with its mode; the folder must exist.
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
		out.Close()
		return err
	}
	return out.Close()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
