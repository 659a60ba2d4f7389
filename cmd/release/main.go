// Command release makes what a release publishes (build), checks a folder of it (verify), makes a key (key) and tries all of it without publishing
// anything (check). .github/workflows/release.yml calls it for a tag.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/alecthomas/kong"

	"lookout/internal/program"
	"lookout/internal/release"
	"lookout/internal/toolchain"
)

func main() {
	program.Main(func(ctx context.Context) int {
		return program.Report(os.Stderr, "release", run(ctx, os.Args[1:], os.Stdout))
	})
}

type cli struct {
	Repo  string `help:"The repository." default:"." type:"path"`
	Build struct {
		Version string `arg:"" help:"Semantic version without a v; CHANGELOG.md has a section of that name."`
		Out     string `help:"Folder to write, which must not exist." default:"dist" type:"path"`
		Key     string `help:"File with the key that signs the checksums, PEM." required:"" type:"existingfile"`
	} `cmd:"" help:"Write a release."`
	Verify struct {
		Dir       string `arg:"" help:"Folder of a release." type:"existingdir"`
		Version   string `help:"Its version." required:""`
		PublicKey string `help:"File with the public key, PEM." required:"" type:"existingfile"`
	} `cmd:"" help:"Check signature, checksums, programs, images and SBOMs."`
	NewKey struct {
		Private string `arg:"" help:"File to write the key to, readable by its owner only."`
		Public  string `arg:"" help:"File to write the public key to."`
	} `cmd:"" help:"Make a key."`
	Check struct{} `cmd:"" help:"Build twice what is in the checkout, with a key that is thrown away, and verify it."`
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	var c cli
	parsed, err := program.Parse(&c, args, stdout, kong.Name("release"), kong.Description("Makes and checks what a release publishes."))
	if errors.Is(err, program.ErrDone) {
		return nil
	}
	if err != nil {
		return err
	}
	switch parsed.Command() {
	case "new-key <private> <public>":
		private, public, err := release.NewKey()
		if err != nil {
			return err
		}
		// O_EXCL: a key that exists is never overwritten.
		f, err := os.OpenFile(c.NewKey.Private, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, err = f.Write(private)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		return os.WriteFile(c.NewKey.Public, public, 0o644)
	case "verify <dir>":
		text, err := os.ReadFile(c.Verify.PublicKey)
		if err != nil {
			return err
		}
		key, err := release.PublicKey(text)
		if err != nil {
			return err
		}
		if err := release.Verify(c.Verify.Dir, c.Verify.Version, key); err != nil {
			return err
		}
		fmt.Fprintf(stdout, "%s: signed by %s, and all that it should be\n", c.Verify.Dir, release.Fingerprint(key))
		return nil
	}
	scratch, err := os.MkdirTemp("", "lookout-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	o := release.Options{Repo: c.Repo, Log: stdout}
	root, err := toolchain.DefaultRoot()
	if err != nil {
		return err
	}
	o.Cache = &toolchain.Cache{Root: root, Tools: filepath.Join(c.Repo, "tools"), Progress: &toolchain.Progress{Out: io.Discard}}
	if parsed.Command() == "check" {
		o.Version, o.Section = toolchain.Version, "Unreleased"
		if err := release.Check(ctx, o, scratch); err != nil {
			return err
		}
		fmt.Fprintf(stdout, "two builds of %s are the same, signed, complete, for %v; nothing was published\n", o.Version, release.Architectures)
		return nil
	}
	text, err := os.ReadFile(c.Build.Key)
	if err != nil {
		return err
	}
	o.Version, o.Out = c.Build.Version, c.Build.Out
	if o.Key, err = release.PrivateKey(text); err != nil {
		return fmt.Errorf("%s: %w", c.Build.Key, err)
	}
	return release.Build(ctx, o)
}
