// Package program is what the programs of this repository share: how they react to signals, parse their flags, log,
// listen, serve and stop.
package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// Main runs a program and ends the process with the exit code that run returns. The first Ctrl-C or SIGTERM cancels
// run's context; the second ends the process at once, whatever run is doing.
func Main(run func(context.Context) int) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// Without a handler the runtime lets the next signal kill.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx))
}

// Report writes an error to stderr after the program's name and returns the exit code that stands for it: 0 for nil,
// else 1.
func Report(stderr io.Writer, name string, err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "%s: %v\n", name, err)
	return 1
}

// ErrDone is returned by Parse after --help or --version has printed what was asked for: the program ends with exit
// code 0.
var ErrDone = errors.New("done")

// exited carries kong's request to end the program out of the parser.
type exited int

// Parse fills cli, a pointer to a struct with kong's tags, from the arguments. Help goes to stdout, and so does what
// kong says about its own use. The returned context runs a chosen command.
func Parse(cli any, args []string, stdout io.Writer, options ...kong.Option) (parsed *kong.Context, err error) {
	defer func() {
		if p := recover(); p != nil {
			code, ok := p.(exited)
			if !ok {
				panic(p)
			}
			parsed, err = nil, ErrDone
			if code != 0 {
				err = errors.New("could not run")
			}
		}
	}()
	parser, err := kong.New(cli, append([]kong.Option{
		kong.Writers(stdout, stdout),
		kong.Exit(func(code int) { panic(exited(code)) }),
	}, options...)...)
	if err != nil {
		return nil, fmt.Errorf("describe the flags: %w", err)
	}
	if len(args) == 1 && args[0] == DescribeFlags {
		fmt.Fprintln(stdout, FlagTables(parser))
		return nil, ErrDone
	}
	if parsed, err = parser.Parse(args); err != nil {
		return nil, fmt.Errorf("%w (see --help)", err)
	}
	return parsed, nil
}

// Logger returns a logger for a level (debug, info, warn, error; anything else is info) in a format (json; anything
// else is text).
func Logger(w io.Writer, level, format string) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: l}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// Listen opens the address that a program serves on, host:port, where port 0 takes a free one. Programs listen before
// they do anything that takes time, so that a port that is taken is the first thing they report.
func Listen(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("--listen=%s: %w (choose a free port, or stop the program that holds it)", address, err)
	}
	return listener, nil
}

// Service is an HTTP server from its first request to its last.
type Service struct {
	// Server has handler and time limits; its ErrorLog defaults to Log.
	Server *http.Server
	// Listener is where it serves. Serve closes it.
	Listener net.Listener
	// ServeOn, if not nil, takes the place of Server.Serve: for TLS.
	ServeOn func(net.Listener) error
	// Log gets a line with the actual address, to which Attributes are added, and one each when stopping begins and
	// ends.
	Log        *slog.Logger
	Attributes []any
	// Grace is how long running requests may take to end once a stop was asked for.
	Grace time.Duration
	// Failed, if not nil, ends the service with the error that comes from it: something else that it cannot do
	// without has ended.
	Failed <-chan error
	// Stopping, if not nil, is called before the listener closes: for what has to end first.
	Stopping func()
}

// Serve serves until ctx is done, then lets running requests end. It returns nil after a stop that ctx asked for and
// that took no longer than Grace.
func (s Service) Serve(ctx context.Context) error {
	if s.Server.ErrorLog == nil {
		s.Server.ErrorLog = slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn)
	}
	served := make(chan error, 1)
	serve := s.Server.Serve
	if s.ServeOn != nil {
		serve = s.ServeOn
	}
	go func() { served <- serve(s.Listener) }()
	s.Log.Info("listening", append([]any{"address", s.Listener.Addr().String()}, s.Attributes...)...)

	var failed error
	select {
	case err := <-served:
		failed = fmt.Errorf("serve on %s: %w", s.Listener.Addr(), err)
	case failed = <-s.Failed:
	case <-ctx.Done():
	}
	s.Log.Info("stopping", "timeout", s.Grace)
	if s.Stopping != nil {
		s.Stopping()
	}
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Grace)
	defer cancel()
	if err := s.Server.Shutdown(deadline); err != nil {
		_ = s.Server.Close()
		return errors.Join(failed, fmt.Errorf("stop within %v: %w", s.Grace, err))
	}
	if failed == nil {
		s.Log.Info("stopped")
	}
	return failed
}
