// Relay takes alerts from Grafana and Alertmanager and brings them to DingTalk: written to disk
// before they are acknowledged, signed, within the robots' limits, until the answer says that they
// are in the chat, or the next channel has them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	// The image has no files but the relay, so the time zones come with it.
	_ "time/tzdata"

	"github.com/alecthomas/kong"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "relay:", err)
		stop()
		os.Exit(1)
	}
}

type cli struct {
	Serve   serveCmd   `cmd:"" default:"withargs" help:"Take notifications and deliver them (the default)."`
	Check   checkCmd   `cmd:"" help:"Check a configuration, its secrets and templates; say what is wrong."`
	Render  renderCmd  `cmd:"" help:"Show what a sample or a captured notification looks like as a message."`
	Dead    deadCmd    `cmd:"" help:"List, re-send or drop dead letters of a running relay."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

// streams are what commands read and write.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// exited carries kong's wish to end the program out of the parser.
type exited int

// run is the program without its process: everything it needs comes in, errors come out.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (err error) {
	var c cli
	parser, err := kong.New(&c,
		kong.Name("relay"),
		kong.Description("Brings every alert to DingTalk, or to somebody who can do something about it."),
		kong.UsageOnError(),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { panic(exited(code)) }),
	)
	if err != nil {
		return err
	}
	defer func() {
		// --help ends here; anything else that panics is none of ours.
		if p := recover(); p != nil {
			code, ok := p.(exited)
			if !ok {
				panic(p)
			}
			if code != 0 {
				err = errors.New("could not run")
			}
		}
	}()
	k, err := parser.Parse(args)
	if err != nil {
		return err
	}
	k.BindTo(ctx, (*context.Context)(nil))
	return k.Run(&streams{stdin, stdout, stderr})
}

type versionCmd struct{}

func (versionCmd) Run(s *streams) error {
	version, revision, goversion := build()
	_, err := fmt.Fprintf(s.out, "relay %s (%s, %s)\n", version, revision, goversion)
	return err
}

// Stamped by the build: -ldflags "-X main.version=… -X main.revision=…".
var (
	version  = "dev"
	revision = "unknown"
)

// build tells what the program was built from.
func build() (v, r, goversion string) {
	v, r, goversion = version, revision, runtime.Version()
	info, ok := debug.ReadBuildInfo()
	if !ok || r != "unknown" {
		return v, r, goversion
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			r = s.Value
		}
	}
	return v, r, goversion
}

func newLogger(w io.Writer, format string) *slog.Logger {
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, nil))
	}
	return slog.New(slog.NewTextHandler(w, nil))
}
