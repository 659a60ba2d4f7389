// Command lookout reviews dashboards and alert rules: it formats, lints, checks them against what exporters expose, tells what a change means, draws
// them and moves them in and out of Grafana. It works offline on files; with a Prometheus or a Grafana it does more.
//
// The command line is a contract: results go to stdout, diagnostics to stderr, and the exit code is 0 if all is clean, 1 if there are findings or
// changes, 2 if the command could not run, 130 if it was interrupted.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"github.com/alecthomas/kong"
	kongcompletion "github.com/jotaen/kong-completion"

	"lookout/internal/program"
)

func main() {
	// A run is short and makes much garbage: collecting it seldom saves a quarter of the time. The limit keeps what is held below the memory of a CI job's smallest machine;
	// near it, garbage is collected as often as need be.
	debug.SetGCPercent(1600)
	debug.SetMemoryLimit(160 << 20)
	program.Main(func(ctx context.Context) int {
		return within(ctx, graceOf(os.Args[1:]), os.Stderr, func() int {
			return run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv)
		})
	})
}

// within runs a command and leaves it behind if it has not ended some time after it was interrupted: it may be in the middle of one large file. Files are
// replaced by renaming, so none is left half written.
func within(ctx context.Context, grace time.Duration, stderr io.Writer, command func() int) int {
	done := make(chan int, 1)
	go func() { done <- command() }()
	select {
	case code := <-done:
		return code
	case <-ctx.Done():
	}
	if grace == 0 {
		return <-done
	}
	select {
	case code := <-done:
		return code
	case <-time.After(grace):
		fmt.Fprintln(stderr, "lookout: interrupted")
		return exitInterrupted
	}
}

// graceOf is how long a command may take to end after an interrupt; 0 leaves it to the command, as a server's open requests want it.
func graceOf(args []string) time.Duration {
	if len(args) > 0 && args[0] == "serve" {
		return 0
	}
	// What a drill set off is taken back first.
	if len(args) > 0 && args[0] == "drill" {
		return 15 * time.Second
	}
	return 500 * time.Millisecond
}

const (
	exitClean    = 0
	exitFindings = 1
	exitFailed   = 2
	// exitInterrupted is what shells give a program that Ctrl-C ended.
	exitInterrupted = 130
)

// errFindings is returned by a command that ran well and found something: exit code 1, nothing on stderr.
var errFindings = errors.New("findings")

// app is what commands get passed instead of reaching for globals.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	client         *http.Client
	now            func() time.Time
}

// note writes a diagnostic to stderr.
func (a *app) note(format string, args ...any) { fmt.Fprintf(a.stderr, format+"\n", args...) }

// exitCode leaves kong's parser early (--help, --version).
type exitCode int

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, getenv func(string) string) (code int) {
	defer func() {
		if r := recover(); r != nil {
			c, ok := r.(exitCode)
			if !ok {
				panic(r)
			}
			code = int(c)
		}
	}()
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, getenv: getenv, client: &http.Client{Timeout: 30 * time.Second}, now: time.Now}
	var commands commands
	parser, err := kong.New(&commands,
		kong.Name("lookout"),
		kong.Description("Reviews Grafana dashboards and Prometheus alert rules: on files, without a Grafana. With a Prometheus or a Grafana it does more."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(c int) { panic(exitCode(c)) }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(a),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Vars{"version": version()},
	)
	if err != nil {
		panic(err) // a mistake in the commands' tags; every test hits it
	}
	if getenv("COMP_LINE") != "" {
		// The shell asks what may come next.
		kongcompletion.Register(parser)
	}
	if len(args) == 1 && args[0] == program.DescribeFlags {
		fmt.Fprintln(stdout, program.FlagTables(parser))
		return 0
	}
	k, err := parser.Parse(flagsFirst(parser.Model, args))
	if err != nil {
		fmt.Fprintf(stderr, "lookout: %v; see %s --help\n", err, commandOf(err))
		return exitFailed
	}
	switch err := k.Run(); {
	case err == nil:
		return exitClean
	case errors.Is(err, errFindings):
		return exitFindings
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "lookout: interrupted")
		return exitInterrupted
	default:
		fmt.Fprintf(stderr, "lookout: %v\n", err)
		return exitFailed
	}
}

// commandOf is the command whose line is wrong, as one would call it.
func commandOf(err error) string {
	var wrong *kong.ParseError
	name := "lookout"
	if errors.As(err, &wrong) && wrong.Context != nil {
		for _, p := range wrong.Context.Path {
			if p.Command != nil {
				name += " " + p.Command.Name
			}
		}
	}
	return name
}

// flagsFirst moves the flags of a command before its paths, since kong takes a list of paths only in one piece: "diff HEAD --html dashboards".
func flagsFirst(model *kong.Application, args []string) []string {
	if len(args) == 0 {
		return args
	}
	var command *kong.Node
	for _, c := range model.Children {
		if c.Name == args[0] {
			command = c
		}
	}
	if command == nil {
		return args
	}
	names := 1
	for again := true; again; {
		again = false
		for _, c := range command.Children {
			if names < len(args) && c.Name == args[names] {
				command, again = c, true
				names++
			}
		}
	}
	takesValue := map[string]bool{}
	for _, group := range command.AllFlags(false) {
		for _, f := range group {
			value := !f.IsBool() && !f.IsCounter()
			takesValue["--"+f.Name] = value
			if f.Short != 0 {
				takesValue["-"+string(f.Short)] = value
			}
		}
	}
	flags, rest := append([]string{}, args[:names]...), []string{}
	for i := names; i < len(args); i++ {
		switch a := args[i]; {
		case a == "--":
			return append(append(append(flags, "--"), rest...), args[i+1:]...)
		case len(a) < 2 || a[0] != '-': // "-" is stdin
			rest = append(rest, a)
		default:
			flags = append(flags, a)
			if takesValue[a] && i+1 < len(args) {
				i++
				flags = append(flags, args[i])
			}
		}
	}
	return append(flags, rest...)
}
