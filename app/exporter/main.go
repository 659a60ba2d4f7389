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
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/prometheus/client_golang/prometheus"
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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal stops gracefully; handing the second back to the runtime lets it kill.
	context.AfterFunc(ctx, stop)

	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintf(os.Stderr, "exporter: %v\n", err)
		os.Exit(1)
	}
}

// errDone ends parsing after --help or --version printed what was asked for.
var errDone = errors.New("done")

// run is the whole program. It returns nil after a graceful stop, which ctx asks for, and otherwise
// what kept it from serving.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	opts, err := parse(args, stdout)
	if errors.Is(err, errDone) {
		return nil
	}
	if err != nil {
		return err
	}
	log := newLogger(stderr, opts.LogLevel, opts.LogFormat)

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

	listener, err := net.Listen("tcp", opts.Listen)
	if err != nil {
		return fmt.Errorf("--listen=%s: %w (choose a free port, or stop who holds it)", opts.Listen, err)
	}
	server := &http.Server{
		Handler:           svc.Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		// Above the highest latency the faults can add, so that a slow answer is still an answer.
		WriteTimeout:   maxLatency + 20*time.Second,
		IdleTimeout:    2 * time.Minute,
		MaxHeaderBytes: 64 << 10,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	log.Info("listening", "address", listener.Addr().String(), "version", version, "revision", revision,
		"go", runtime.Version(), "faults", opts.EnableFaults, "self_traffic", opts.SelfTraffic)

	trafficDone := make(chan struct{})
	trafficCtx, stopTraffic := context.WithCancel(ctx)
	defer stopTraffic()
	go func() {
		defer close(trafficDone)
		if opts.SelfTraffic > 0 {
			sendTraffic(trafficCtx, log, loopback(listener.Addr().String()), opts.SelfTraffic)
		}
	}()

	select {
	case err := <-served:
		return fmt.Errorf("serve on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	log.Info("stopping", "timeout", opts.ShutdownTimeout)
	svc.Drain()
	<-trafficDone
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), opts.ShutdownTimeout)
	defer cancel()
	if err := server.Shutdown(deadline); err != nil {
		server.Close()
		return fmt.Errorf("stop within --shutdown-timeout=%v: %w", opts.ShutdownTimeout, err)
	}
	log.Info("stopped")
	return nil
}

func parse(args []string, stdout io.Writer) (opts options, err error) {
	exited := false
	parser, err := kong.New(&opts,
		kong.Name("exporter"),
		kong.Description("A small order service with the metrics a Go service ought to have."),
		kong.Writers(stdout, stdout),
		kong.Exit(func(int) { exited = true }),
		kong.Vars{"version": fmt.Sprintf("exporter %s (revision %s, %s)", version, revision, runtime.Version())},
	)
	if err != nil {
		return opts, fmt.Errorf("describe the flags: %w", err)
	}
	_, err = parser.Parse(args)
	// Kong goes on parsing after --help when Exit returns, so its verdict comes second.
	if exited {
		return opts, errDone
	}
	if err != nil {
		return opts, fmt.Errorf("%w (see --help)", err)
	}
	return opts, opts.validate()
}

func newLogger(w io.Writer, level, format string) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo // not reached: kong's enum admits known levels only
	}
	o := &slog.HandlerOptions{Level: l}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
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
