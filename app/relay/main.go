// Command relay receives alerts from Grafana and Alertmanager and delivers them to DingTalk: written to disk
// before they are acknowledged, signed, within the robots' limits, until the answer says that they
// are in the chat, or the next channel has them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"

	// The image has no files but the relay, so the time zones come with it.
	_ "time/tzdata"

	"github.com/alecthomas/kong"

	"lookout/internal/program"
)

func main() {
	program.Main(func(ctx context.Context) int {
		return program.Report(os.Stderr, "relay", run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	})
}

type cli struct {
	Serve   serveCmd   `cmd:"" default:"withargs" help:"Take notifications and deliver them (the default)."`
	Check   checkCmd   `cmd:"" help:"Check a configuration, its secrets and templates; say what is wrong."`
	Render  renderCmd  `cmd:"" help:"Show what a sample or a captured notification looks like as a message."`
	Sent    sentCmd    `cmd:"" help:"Show what a running relay sent to whom, and what was answered."`
	Dead    deadCmd    `cmd:"" help:"List, re-send or drop dead letters of a running relay."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

// streams are what commands read and write.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// run is the program without its process: everything it needs comes in, errors come out.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	var c cli
	k, err := program.Parse(&c, args, stdout,
		kong.Name("relay"),
		kong.Description("Brings every alert to DingTalk, or to somebody who can do something about it."),
	)
	if errors.Is(err, program.ErrDone) {
		return nil
	}
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
