// Command exporter is a small order service with the metrics a Go service ought to have.
//
// It is what Lookout watches in the local environment and in the tests. With --enable-faults its
// knobs raise and lower threads, goroutines, heap, latency and the error rate, so that every shipped
// alert can be seen firing and recovering.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"time"

	"github.com/alecthomas/kong"
	"github.com/prometheus/client_golang/prometheus"

	"lookout/internal/program"
)

// Stamped by the build: -ldflags "-X main.version=… -X main.revision=…".
var (
	version  = "dev"
	revision = "unknown"
)

type options struct {
	Listen          string           `default:":9100" help:"Address to serve on, host:port. Port 0 takes a free one, which is logged."`
	EnableFaults    bool             `help:"Serve /faults, whose knobs raise and lower threads, goroutines, heap, latency and errors. Never where strangers reach the port."`
	SelfTraffic     float64          `default:"0" placeholder:"RPS" help:"Requests per second the service sends to itself, so that a fresh dashboard has data. 0 sends none."`
	ShutdownTimeout time.Duration    `default:"10s" help:"How long running requests may take to end once a stop was asked for."`
	LogLevel        string           `default:"info" enum:"debug,info,warn,error" help:"Least severe level to log: ${enum}."`
	LogFormat       string           `default:"text" enum:"text,json" help:"Format of the log on stderr: ${enum}."`
	Version         kong.VersionFlag `help:"Print version, revision and Go version."`
}

// maxSelfTraffic keeps the built-in load a trickle: it is there to give graphs a shape.
const maxSelfTraffic = 1000

func (o options) validate() error {
	if o.SelfTraffic < 0 || o.SelfTraffic > maxSelfTraffic || o.SelfTraffic != o.SelfTraffic {
		return fmt.Errorf("--self-traffic=%v: give a number of requests per second from 0 to %d", o.SelfTraffic, maxSelfTraffic)
	}
	if o.ShutdownTimeout <= 0 {
		return fmt.Errorf("--shutdown-timeout=%v: give a duration above zero, such as 10s", o.ShutdownTimeout)
	}
	return nil
}

func main() {
	program.Main(func(ctx context.Context) int {
		return program.Report(os.Stderr, "exporter", run(ctx, os.Args[1:], os.Stdout, os.Stderr))
	})
}

// run is the whole program. It returns nil after a graceful stop, which ctx asks for, and otherwise
// what kept it from serving.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	opts, err := parse(args, stdout)
	if errors.Is(err, program.ErrDone) {
		return nil
	}
	if err != nil {
		return err
	}
	log := program.Logger(stderr, opts.LogLevel, opts.LogFormat)

	reg := prometheus.NewRegistry()
	svc, err := newService(config{
		Registry:     reg,
		Logger:       log,
		Now:          time.Now,
		Rand:         rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1)),
		EnableFaults: opts.EnableFaults,
		Build:        build{Version: version, Revision: revision, GoVersion: runtime.Version()},
	})
	if err != nil {
		return fmt.Errorf("set up the service: %w", err)
	}
	defer svc.Close()

	listener, err := program.Listen(opts.Listen)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           svc.Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		// Above the highest latency the faults can add, so that a slow answer is still an answer.
		WriteTimeout:   maxLatency + 20*time.Second,
		IdleTimeout:    2 * time.Minute,
		MaxHeaderBytes: 64 << 10,
	}
	trafficDone := make(chan struct{})
	trafficCtx, stopTraffic := context.WithCancel(ctx)
	defer stopTraffic()
	go func() {
		defer close(trafficDone)
		if opts.SelfTraffic > 0 {
			sendTraffic(trafficCtx, log, loopback(listener.Addr().String()), opts.SelfTraffic)
		}
	}()

	return program.Service{
		Server: server, Listener: listener, Log: log, Grace: opts.ShutdownTimeout,
		Attributes: []any{"version", version, "revision", revision, "go", runtime.Version(),
			"faults", opts.EnableFaults, "self_traffic", opts.SelfTraffic},
		Stopping: func() {
			svc.Drain()
			stopTraffic()
			<-trafficDone
		},
	}.Serve(ctx)
}

func parse(args []string, stdout io.Writer) (opts options, err error) {
	_, err = program.Parse(&opts, args, stdout,
		kong.Name("exporter"),
		kong.Description("A small order service with the metrics a Go service ought to have."),
		kong.Vars{"version": fmt.Sprintf("exporter %s (revision %s, %s)", version, revision, runtime.Version())},
	)
	if err != nil {
		return opts, err
	}
	return opts, opts.validate()
}

// loopback is the address under which a listener on listen is reached from the same machine.
func loopback(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
