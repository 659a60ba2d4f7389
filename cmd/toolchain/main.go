// Command toolchain gets what Lookout needs onto a machine and brings environments up and down. The
// Makefile calls it; `make help` lists the targets.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/alecthomas/kong"

	"lookout/internal/environment"
	"lookout/internal/program"
	"lookout/internal/toolchain"
)

func main() {
	program.Main(func(ctx context.Context) int {
		err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
		if err != nil && ctx.Err() != nil {
			// Whatever failed did so because it was told to stop.
			err = errors.New("interrupted; run the same command again to go on")
		}
		return program.Report(os.Stderr, "\nError", err)
	})
}

type cli struct {
	Env    string `help:"Environment: a folder of envs/." default:"local"`
	Origin string `help:"Where images and providers come from: auto, registry or modules." default:"auto" env:"ORIGIN"`
	Repo   string `help:"The repository." default:"." type:"path"`

	Up       struct{} `cmd:"" help:"Bring an environment up."`
	Init     struct{} `cmd:"" help:"Get the toolchain and images, and run terraform init in both roots."`
	TestDeps struct{} `cmd:"" help:"Get what the tests need beside that: a browser."`
	Check    struct{} `cmd:"" help:"Check the environment's name and the files that it is made of."`
	Apply    struct{} `cmd:"" help:"Apply both roots."`
	Down     struct{} `cmd:"" help:"Remove an environment."`
	Status   struct{} `cmd:"" help:"Say where everything is."`
	Password struct{} `cmd:"" help:"Print the local Grafana's password."`
}

func run(ctx context.Context, args []string, stdin *os.File, stdout, stderr io.Writer) error {
	var c cli
	parsed, err := program.Parse(&c, args, stdout, kong.Name("toolchain"))
	if errors.Is(err, program.ErrDone) {
		return nil
	}
	if err != nil {
		return err
	}
	if !filepath.IsAbs(c.Repo) {
		return errors.New("the repository's path must be absolute")
	}
	var in io.Reader
	terminal := toolchain.IsTerminal(stdin)
	if terminal {
		in = stdin
	}
	out, _ := stdout.(*os.File)
	env, err := environment.Open(environment.Environment{
		Name: c.Env, Repo: c.Repo, Origin: c.Origin, In: in, Out: stdout,
		Progress: &toolchain.Progress{Out: stdout, Terminal: out != nil && toolchain.IsTerminal(out)},
		Client:   &http.Client{Timeout: 10 * time.Second},
		Log:      slog.New(slog.NewTextHandler(stderr, nil)),
	})
	if err != nil {
		return err
	}
	switch parsed.Command() {
	case "up":
		return env.Up(ctx)
	case "init":
		return env.Init(ctx, true)
	case "check":
		return env.Check(ctx)
	case "test-deps":
		return toolchain.Ensure(ctx, env.Progress, toolchain.NeedBrowser)
	case "apply":
		return env.Apply(ctx)
	case "down":
		return env.Down(ctx)
	case "status":
		return env.Summary(ctx)
	case "password":
		return env.Password()
	}
	return fmt.Errorf("the command %q has no action", parsed.Command())
}
