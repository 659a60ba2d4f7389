// Command discovery stands between Prometheus and the Docker Engine: it holds the engine's socket and answers for the two lists that
// Prometheus' service discovery reads, with nothing but what a scrape needs of the containers that carry a label.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
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
	Listen  string `default:":2375" help:"Address to serve on, host:port. Port 0 takes a free one, which is logged."`
	Socket  string `default:"/var/run/docker.sock" help:"The engine's socket."`
	Label   string `default:"lookout.scrape=true" help:"Label and value that a container must carry to be listed."`
	Network string `required:"" help:"Network of which containers are listed, and with which Prometheus reaches them."`

	LogLevel  string           `default:"info" enum:"debug,info,warn,error" help:"Least severe level to log: ${enum}."`
	LogFormat string           `default:"text" enum:"text,json" help:"Format of the log on stderr: ${enum}."`
	Version   kong.VersionFlag `help:"Print version, revision and Go version."`
}

func main() {
	program.Main(func(ctx context.Context) int {
		return program.Report(os.Stderr, "discovery", run(ctx, os.Args[1:], os.Stdout, os.Stderr))
	})
}

// run is the whole program. It returns nil after a graceful stop, which ctx asks for, and otherwise what kept it from serving.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var opts options
	_, err := program.Parse(&opts, args, stdout,
		kong.Name("discovery"),
		kong.Description("Lists labelled containers for Prometheus, which then needs no access to the Docker Engine."),
		kong.Vars{"version": fmt.Sprintf("discovery %s (revision %s, %s)", version, revision, runtime.Version())},
	)
	if errors.Is(err, program.ErrDone) {
		return nil
	}
	if err != nil {
		return err
	}
	if name, _, ok := strings.Cut(opts.Label, "="); !ok || name == "" {
		return fmt.Errorf("--label=%s: give name=value, for example lookout.scrape=true", opts.Label)
	}
	log := program.Logger(stderr, opts.LogLevel, opts.LogFormat)
	listener, err := program.Listen(opts.Listen)
	if err != nil {
		return err
	}
	engine := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", opts.Socket)
		},
		// A connection that waits would keep one of the engine's.
		IdleConnTimeout: 30 * time.Second,
	}}
	return program.Service{
		Server: &http.Server{
			Handler:           lister{engine: engine, label: opts.Label, network: opts.Network, log: log}.handler(),
			ReadHeaderTimeout: 5 * time.Second,
			WriteTimeout:      15 * time.Second,
			IdleTimeout:       2 * time.Minute,
			MaxHeaderBytes:    16 << 10,
		},
		Listener: listener, Log: log, Grace: 5 * time.Second,
		Attributes: []any{"label", opts.Label, "network", opts.Network, "version", version, "revision", revision, "go", runtime.Version()},
	}.Serve(ctx)
}
