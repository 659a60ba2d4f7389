// Command gomutate makes small mistakes in Go packages, one at a time, and reports those that no test notices.
//
//	gomutate [flags] ./internal/rules ./internal/diff
//
// All mistakes of a package are compiled into one test binary, each behind a switch, so that trying one costs a run of the tests that reach it and
// nothing else. What a package's own tests do not notice is tried on the packages of -with. A comment
//
//	//mutate:ignore reason
//
// on a line or before it excuses mistakes there that no test can notice, because they change nothing. An excuse that is not needed is an error.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ok, err := run(ctx, os.Args[1:], os.Stdout)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "gomutate:", err)
		os.Exit(2)
	case !ok:
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	dir     string
	with    []string
	skip    string
	files   string
	least   float64
	workers int
	timeout time.Duration
	verbose bool
}

func run(ctx context.Context, args []string, stdout io.Writer) (ok bool, err error) {
	var o options
	var with string
	flags := flag.NewFlagSet("gomutate", flag.ContinueOnError)
	var usage bytes.Buffer
	flags.SetOutput(&usage)
	flags.StringVar(&o.dir, "dir", ".", "the module's directory")
	flags.StringVar(&with, "with", "", "further packages whose tests are tried on what a package's own do not notice, separated by commas")
	flags.StringVar(&o.skip, "skip", "", "tests that are not run, as in go test -skip")
	flags.StringVar(&o.files, "files", "", "only these files, a pattern as in path.Match")
	flags.Float64Var(&o.least, "least", 85, "the least score of each package, in percent; below it the exit code is 1")
	flags.IntVar(&o.workers, "p", runtime.NumCPU(), "how many mistakes are tried at once")
	flags.DurationVar(&o.timeout, "timeout", 2*time.Minute, "how long the tests may take at most for one mistake")
	flags.BoolVar(&o.verbose, "v", false, "print each mistake and which way it ended")
	if err := flags.Parse(args); err != nil {
		return false, errors.New(strings.TrimSpace(usage.String()))
	}
	if flags.NArg() == 0 {
		return false, errors.New("no package was named")
	}
	o.with = slices.DeleteFunc(strings.Split(with, ","), func(s string) bool { return s == "" })
	ok = true
	for _, pattern := range flags.Args() {
		pkgs, err := load(ctx, o.dir, pattern)
		if err != nil {
			return false, err
		}
		for _, pkg := range pkgs {
			good, err := one(ctx, o, pkg, stdout)
			if err != nil {
				return false, fmt.Errorf("%s: %w", pkg.PkgPath, err)
			}
			ok = ok && good
		}
	}
	return ok, nil
}
