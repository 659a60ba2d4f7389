// Command sample is something to watch where there is nothing: a batch job that pushes its metrics, and a TLS server.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"time"

	"github.com/alecthomas/kong"

	"lookout/internal/program"
)

// Stamped by the build: -ldflags "-X main.version=… -X main.revision=…".
var (
	version  = "dev"
	revision = "unknown"
)

type options struct {
	ListenHTTP string           `name:"listen-http" default:":8081" help:"Address that answers whether the program is healthy, host:port."`
	LogLevel   string           `default:"info" enum:"debug,info,warn,error" help:"Least severe level to log: ${enum}."`
	LogFormat  string           `default:"text" enum:"text,json" help:"Format of the log on stderr: ${enum}."`
	Version    kong.VersionFlag `help:"Print version, revision and Go version."`

	Batch struct {
		Gateway string        `default:"http://pushgateway:9091" help:"Address of the Pushgateway."`
		Every   time.Duration `default:"15s" help:"How often the job runs."`
		Job     string        `default:"orders-report" help:"Name of the job, under which it pushes."`
	} `cmd:"" help:"Run a batch job again and again."`
	TLS struct {
		Listen   string        `default:":8443" help:"Address to serve TLS on, host:port."`
		Validity time.Duration `default:"1440h" help:"How long the certificate is valid, from the start of the program."`
	} `cmd:"" name:"tls" help:"Serve TLS."`
}

func main() {
	program.Main(func(ctx context.Context) int {
		return program.Report(os.Stderr, "sample", run(ctx, os.Args[1:], os.Stdout, os.Stderr))
	})
}

// run is the whole program. It returns nil after a graceful stop, which ctx asks for, and otherwise what kept it from running.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var opts options
	parsed, err := program.Parse(&opts, args, stdout,
		kong.Name("sample"),
		kong.Description("Something to watch: a batch job, or a TLS server."),
		kong.Vars{"version": fmt.Sprintf("sample %s (revision %s, %s)", version, revision, runtime.Version())},
	)
	if errors.Is(err, program.ErrDone) {
		return nil
	}
	if err != nil {
		return err
	}
	log := program.Logger(stderr, opts.LogLevel, opts.LogFormat)
	listener, err := program.Listen(opts.ListenHTTP)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	switch parsed.Command() {
	case "batch":
		if opts.Batch.Every <= 0 {
			return fmt.Errorf("--every=%s: give a duration above zero, for example 15s", opts.Batch.Every)
		}
		go batch{gateway: opts.Batch.Gateway, job: opts.Batch.Job, every: opts.Batch.Every, log: log}.loop(ctx)
	case "tls":
		if opts.TLS.Validity <= 0 {
			return fmt.Errorf("--validity=%s: give a duration above zero, for example 1440h", opts.TLS.Validity)
		}
		serve, err := tlsServer(opts.TLS.Listen, opts.TLS.Validity)
		if err != nil {
			return err
		}
		defer serve.Close()
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	return program.Service{
		Server:   &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second},
		Listener: listener, Log: log, Grace: 5 * time.Second,
		Attributes: []any{"version", version, "revision", revision, "go", runtime.Version()},
	}.Serve(ctx)
}
