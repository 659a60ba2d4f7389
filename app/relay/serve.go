package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	toolkit "github.com/prometheus/exporter-toolkit/web"

	"lookout/app/relay/internal/config"
	"lookout/app/relay/internal/delivery"
	"lookout/app/relay/internal/pair"
	"lookout/app/relay/internal/spool"
	"lookout/app/relay/internal/web"
	"lookout/internal/program"
)

type serveCmd struct {
	answersFlags
	Config     string `help:"Configuration file." default:"/etc/relay/relay.yaml"`
	Spool      string `help:"File that holds what is not delivered yet. Keep it on a disk that survives the process." default:"/var/lib/relay/spool.db"`
	Listen     string `help:"Address to take notifications on." default:":8070"`
	Health     string `help:"A further address for health checks and metrics alone, such as :8071." name:"health-listen"`
	WebConfig  string `help:"Prometheus' web configuration file: TLS and users." name:"web.config.file" type:"existingfile"`
	ReserveMib int64  `help:"MiB of the spool's disk that are left free; below, notifications are answered 507." default:"64"`
	MaxBody    int64  `help:"Largest notification in bytes." default:"4194304"`
	LogFormat  string `help:"text or json." enum:"text,json" default:"text"`
}

// maxConnections is far more than senders keep open; each may take some 30 KiB.
const maxConnections = 512

// shutdownGrace is more than the longest send takes, so that its answer is still written down.
const shutdownGrace = 25 * time.Second

func (cmd *serveCmd) Run(ctx context.Context, s *streams) error {
	log := program.Logger(s.err, "info", cmd.LogFormat)
	cfg, err := cmd.load(cmd.Config)
	if err != nil {
		return err
	}
	// What lives in the relay's memory is small, so the garbage collector may wait until there is much
	// more garbage than that (measured: 25 % more accepts a second), but not beyond what keeps the whole
	// process below 64 MiB.
	if os.Getenv("GOMEMLIMIT") == "" && os.Getenv("GOGC") == "" {
		limit := int64(44 << 20)
		if cfg.Pair != nil {
			// The rest is the driver of PostgreSQL and what is compared with the other relay.
			limit = 40 << 20
		}
		debug.SetMemoryLimit(limit)
		debug.SetGCPercent(400)
	}
	listener, err := program.Listen(cmd.Listen)
	if err != nil {
		return err
	}
	defer listener.Close()

	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	version, revision, goversion := build()
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "relay_build_info", Help: "What the relay was built from.",
		ConstLabels: prometheus.Labels{"version": version, "revision": revision, "goversion": goversion},
	})
	info.Set(1)
	registry.MustRegister(info)

	metrics := delivery.NewMetrics(registry)
	store, err := spool.Open(cmd.Spool, spool.Options{
		Clock: spool.SystemClock(), Log: log, Reserve: cmd.ReserveMib << 20, DuplicateWindow: cfg.DuplicateWindow.Std(),
		OnCommit: func(took time.Duration, changes int) {
			metrics.CommitTime.Observe(took.Seconds())
			metrics.CommitSize.Observe(float64(changes))
		},
	})
	if err != nil {
		return err
	}
	defer store.Close()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 4
	part, err := join(cfg, store, log, transport)
	if err != nil {
		return err
	}
	engine, err := delivery.New(delivery.Options{
		Pair:  part,
		Store: store, Reserve: cmd.ReserveMib << 20, Config: cfg, Log: log,
		Registry: registry, Metrics: metrics, Transport: transport,
	})
	if err != nil {
		return err
	}
	metrics.ReloadOK.Set(1)
	metrics.ReloadTime.SetToCurrentTime()
	exposition := promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry, EnableOpenMetrics: true})
	handler, err := web.New(web.Options{Engine: engine, Log: log, MaxBody: cmd.MaxBody, Metrics: exposition})
	if err != nil {
		return err
	}
	if cmd.Health != "" {
		// Whatever senders do to the other listener, this one answers.
		healthListener, err := net.Listen("tcp", cmd.Health)
		if err != nil {
			return fmt.Errorf("listen on %s: %w", cmd.Health, err)
		}
		health := &http.Server{Handler: handler.Health(exposition), ReadTimeout: 5 * time.Second, WriteTimeout: 20 * time.Second, IdleTimeout: time.Minute}
		go func() {
			if err := health.Serve(web.NewCrowd(healthListener, 64)); !errors.Is(err, http.ErrServerClosed) {
				log.Error("health is no longer served", "address", cmd.Health, "error", err)
			}
		}()
		defer health.Close()
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 20 * time.Second,
		WriteTimeout: 40 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
	}
	// Bounds what a crowd of senders costs in memory; idle ones make room, the others wait in the kernel's queue.
	crowd := web.NewCrowd(listener, maxConnections)
	server.ConnState = crowd.ConnState
	var serveOn func(net.Listener) error
	if cmd.WebConfig != "" {
		if err := toolkit.Validate(cmd.WebConfig); err != nil {
			return fmt.Errorf("--web.config.file %s: %w", cmd.WebConfig, err)
		}
		no := false
		flags := &toolkit.FlagConfig{WebListenAddresses: &[]string{cmd.Listen}, WebSystemdSocket: &no, WebConfigFile: &cmd.WebConfig}
		serveOn = func(l net.Listener) error { return toolkit.Serve(l, server, flags, log) }
	}
	// Deliveries go on until no request is left that could bring more.
	delivering, stopDelivering := context.WithCancel(context.WithoutCancel(ctx))
	defer stopDelivering()
	delivered, failed := make(chan error, 1), make(chan error, 1)
	go func() {
		err := engine.Run(delivering)
		if delivering.Err() == nil {
			failed <- fmt.Errorf("deliver: %w", err)
			err = nil
		}
		delivered <- err
	}()
	go cmd.reload(delivering, log, engine, cfg)
	var stopBy time.Time
	err = program.Service{
		Server: server, Listener: crowd, ServeOn: serveOn, Log: log, Grace: shutdownGrace, Failed: failed,
		Attributes: []any{"spool", cmd.Spool, "config", cfg.Digest, "targets", len(cfg.Targets)},
		Stopping: func() {
			handler.Stopping.Store(true)
			stopBy = time.Now().Add(shutdownGrace)
		},
	}.Serve(ctx)
	stopDelivering()
	select {
	case e := <-delivered:
		err = errors.Join(err, e)
	case <-time.After(time.Until(stopBy)):
		err = errors.Join(err, errors.New("a send did not end in time; it will be repeated at the next start"))
	}
	return err
}

// join makes the relay's part in its pair, nil for a relay alone.
func join(cfg *config.Config, store *spool.Store, log *slog.Logger, transport http.RoundTripper) (*pair.Pair, error) {
	if cfg.Pair == nil {
		return nil, nil
	}
	db, err := pair.Postgres(cfg.Pair.DSN, cfg.Pair.Name)
	if err != nil {
		return nil, fmt.Errorf("pair: %w", err)
	}
	// A spool that is copied to another machine is another relay.
	host, _ := os.Hostname()
	id := sha256.Sum256(fmt.Appendf(store.Salt(), " %s", host))
	return pair.New(pair.Options{
		DB: db, Relay: hex.EncodeToString(id[:8]), Takeover: cfg.Pair.Takeover.Std(), Peer: cfg.Pair.Peer, Log: log,
		Now: store.Steady, Transport: transport, Redact: cfg.Redact,
	}), nil
}

// pollEvery is for file systems that don't tell of changes, such as some that containers mount.
const pollEvery = 15 * time.Second

// reload reads the configuration and its secrets anew whenever one of the files changes or a SIGHUP
// comes. Folders are watched, since editors and secret managers replace files.
func (cmd *serveCmd) reload(ctx context.Context, log *slog.Logger, engine *delivery.Engine, current *config.Config) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	var events chan fsnotify.Event
	var problems chan error
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		log.Warn("file changes are polled for", "error", err)
	} else {
		defer watcher.Close()
		events, problems = watcher.Events, watcher.Errors
	}
	watch := func(c *config.Config) {
		if watcher == nil {
			return
		}
		for _, f := range c.Files {
			dir := filepath.Dir(f)
			if !slices.Contains(watcher.WatchList(), dir) {
				if err := watcher.Add(dir); err != nil {
					log.Warn("file changes are polled for", "folder", dir, "error", err)
				}
			}
		}
	}
	watch(current)
	tried := current.Digest
	lastError := ""
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	settle := time.NewTimer(time.Hour)
	settle.Stop()
	for {
		forced := false
		select {
		case <-ctx.Done():
			return
		case <-events:
			// Several files change together; what counts is how they are once it is quiet.
			settle.Reset(200 * time.Millisecond)
			continue
		case err := <-problems:
			log.Warn("watching the configuration", "error", err)
			continue
		case <-hup:
			forced = true
		case <-settle.C:
		case <-poll.C:
		}
		next, err := cmd.load(cmd.Config)
		if err != nil {
			if forced || err.Error() != lastError {
				engine.Metrics.ReloadOK.Set(0)
				engine.Metrics.Reloads.WithLabelValues("refused").Inc()
				log.Error("the new configuration is refused, the old one stays", "error", err)
			}
			lastError = err.Error()
			continue
		}
		recovered := lastError != ""
		lastError = ""
		if next.Digest == tried && !forced && !recovered {
			continue
		}
		tried = next.Digest
		watch(next)
		if !reflect.DeepEqual(next.Pair, current.Pair) {
			log.Warn("what the relays of a pair share is read at start only: restart the relay for its new configuration")
			next.Pair = current.Pair
		}
		engine.Apply(next)
		engine.Metrics.ReloadOK.Set(1)
		engine.Metrics.ReloadTime.SetToCurrentTime()
		engine.Metrics.Reloads.WithLabelValues("taken").Inc()
	}
}
