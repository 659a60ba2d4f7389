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

// errNotUp is the exit code of a status that names problems.
var errNotUp = errors.New("the environment is not up")

func main() {
	program.Main(func(ctx context.Context) int {
		err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
		if err != nil && ctx.Err() != nil {
			// Whatever failed did so because it was told to stop.
			err = errors.New("interrupted; run the same command again to go on")
		}
		if errors.Is(err, errNotUp) {
			// What is wrong stands in the status.
			return 1
		}
		return program.Report(os.Stderr, "\nError", err)
	})
}

type cli struct {
	Env     string `help:"Environment: a folder of envs/." default:"local"`
	Origin  string `help:"Choose anew where images and providers come from: auto, registry or modules." env:"ORIGIN"`
	Sources string `help:"Sources of metrics that the stack has from now on: names, all or none." env:"SOURCES"`
	Repo    string `help:"The repository." default:"." type:"path"`
	Name    string `help:"up, apply: name of a stack next to another one. new-env: name of the environment."`

	File string `help:"backup: the file to write, by default a new one in backups/. restore: the file to read." type:"path"`

	Up        struct{} `cmd:"" help:"Bring an environment up."`
	Init      struct{} `cmd:"" help:"Get the toolchain and images, and run terraform init in both roots."`
	TestDeps  struct{} `cmd:"" help:"Get what the tests need beyond that: a browser, Grafana's provider."`
	Check     struct{} `cmd:"" help:"Check the environment's name and the files that it is made of."`
	Plan      struct{} `cmd:"" help:"Show what apply would change."`
	Apply     struct{} `cmd:"" help:"Apply both roots, with images of what is in the checkout."`
	NewEnv    struct{} `cmd:"" help:"Write a new environment."`
	Backup    struct{} `cmd:"" help:"Write data, state and generated secrets of the running environment into one file."`
	Restore   struct{} `cmd:"" help:"Bring an environment back from such a file, where nothing of it is."`
	Uninstall struct{} `cmd:"" help:"Remove images, caches and what was generated, once nothing runs; name what is left."`
	Down      struct{} `cmd:"" help:"Remove an environment."`
	Status    struct {
		JSON bool `help:"Print it as JSON."`
	} `cmd:"" help:"Say how everything is, and where. Ends with 1 if something is wrong."`
	Logs struct {
		Service string `arg:"" optional:"" help:"Which service: all by default."`
		Lines   int    `help:"How many lines from the end of each; 0 is all." default:"100"`
		Follow  bool   `help:"Go on until interrupted."`
	} `cmd:"" help:"Print the logs of containers."`
	Doctor   struct{} `cmd:"" help:"Look for what keeps the environment from working, and say what to do."`
	Licences struct{} `cmd:"" help:"Check the licences of every module that is built, and write the notices."`
	Origins  struct{} `cmd:"" name:"origin" help:"Show where images and providers come from."`
	Password struct {
		New string `env:"NEW" help:"Change it to this one; generate chooses one."`
	} `cmd:"" help:"Print the local Grafana's password, or change it."`
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
	if parsed.Command() == "new-env" {
		dir, err := environment.New(c.Repo, c.Name)
		if err != nil {
			return err
		}
		fmt.Fprintf(stdout, "wrote %s: read through its files, copy backend.hcl.example to backend.hcl in both roots, then `make plan ENV=%s`\n", dir, c.Name)
		return nil
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
	if ctx, err = env.WithEngine(ctx); err != nil {
		return err
	}
	if command := parsed.Command(); c.Name != "" && (command == "up" || command == "apply" || command == "init") {
		if err := env.SetName(ctx, c.Name); err != nil {
			return err
		}
	}
	if command := parsed.Command(); c.Sources != "" && (command == "up" || command == "apply" || command == "init" || command == "plan") {
		if err := env.ChooseSources(c.Sources); err != nil {
			return err
		}
	}
	switch parsed.Command() {
	case "up":
		return env.Up(ctx)
	case "plan":
		if err := env.Init(ctx); err != nil {
			return err
		}
		return env.Plan(ctx)
	case "init":
		return env.Init(ctx)
	case "check":
		return env.Check(ctx)
	case "test-deps":
		return env.TestDeps(ctx)
	case "licences":
		return env.Licences(ctx)
	case "origin":
		return env.Origins(ctx)
	case "apply":
		if err := env.Init(ctx); err != nil {
			return err
		}
		return env.Apply(ctx)
	case "uninstall":
		return env.Uninstall(ctx)
	case "backup":
		return env.Backup(ctx, c.File)
	case "restore":
		return env.Restore(ctx, c.File)
	case "down":
		return env.Down(ctx)
	case "status":
		up, err := env.PrintStatus(ctx, c.Status.JSON)
		if err == nil && !up {
			return errNotUp
		}
		return err
	case "logs", "logs <service>":
		return env.Logs(ctx, c.Logs.Service, c.Logs.Lines, c.Logs.Follow)
	case "doctor":
		return env.Doctor(ctx)
	case "password":
		if c.Password.New != "" {
			return env.SetPassword(ctx, c.Password.New)
		}
		return env.Password()
	}
	return fmt.Errorf("the command %q has no action", parsed.Command())
}
