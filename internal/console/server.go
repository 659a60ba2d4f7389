// Package console shows dashboards, alerts, silences and targets in a browser, live, without a Grafana: pages are made by the server and can be read without JavaScript;
// a small script of our own makes them follow time, pointer and files. All that comes from Prometheus, from files and from addresses is untrusted text.
package console

import (
	"cmp"
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/exporter-toolkit/web"

	"lookout/internal/alertmanager"
	"lookout/internal/drill/series"
	"lookout/internal/flight"
	"lookout/internal/lint"
	"lookout/internal/program"
	"lookout/internal/prometheus"
	"lookout/internal/render"
)

// Config is what `lookout serve` is told.
type Config struct {
	// Paths are dashboard files, or directories that are walked for them.
	Paths []string
	// Prometheus and Alertmanager are addresses; either may be empty, then their pages say so.
	Prometheus, Alertmanager string
	// Grafana is the address of one whose engine evaluates the alerts: rules and silences are asked of it instead of Prometheus and Alertmanager.
	Grafana string
	// Relay is the address that links in the relay's messages are passed on to; empty: they have one of their own.
	Relay string
	// GrafanaTokenFile holds a service account's token; GrafanaBasicAuthFile holds user:password.
	GrafanaTokenFile, GrafanaBasicAuthFile string
	// Listen is host:port. An address beyond loopback needs WebConfigFile, or PublishedOnLoopback.
	Listen string
	// PublishedOnLoopback promises that the address is only reached through a port that is published on loopback, as a container's is.
	PublishedOnLoopback bool
	// WebConfigFile is Prometheus' web configuration file: TLS and users.
	WebConfigFile string
	// ExternalURL is the address that readers use; its path comes before all pages.
	ExternalURL string
	// Runbooks is a directory of Markdown files.
	Runbooks string
	// ScrapeInterval is what $__rate_interval is computed from.
	ScrapeInterval time.Duration
	// Location is the time zone for readers whose browser does not say its own.
	Location *time.Location
	// QueryTimeout is how long a query may take before it is cut off.
	QueryTimeout time.Duration
	// DrillSeries says which series a drill may write: "probe" (only [series.Probe]) or "any"; "off" and "" mean none.
	DrillSeries string
	// Lint has the silences of findings.
	Lint lint.Config
	Log  *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Server is the console. Make one with [New].
type Server struct {
	cfg      Config
	external *url.URL
	base     string // path before all pages, without the last slash
	hosts    map[string]bool
	now      func() time.Time
	log      *slog.Logger

	prom    *prometheus.Client   // nil: none
	rules   *prometheus.Client   // whom rules are asked of: prom, or Grafana
	am      *alertmanager.Client // nil: none
	relay   http.Handler         // nil: none
	store   *store
	hub     *hub
	pages   pages
	boards  *flight.Cache[*board]
	drawn   *flight.Cache[[]byte]
	alerts  *flight.Cache[*alertView]
	checked *flight.Cache[[]panelFinding]
	changes *flight.Cache[*changeView]
	metrics *metrics
	secret  []byte
	ready   atomic.Bool
	busy    chan struct{}
	// checking lets one file be linted and checked at a time: that takes as much memory as everything else.
	checking chan struct{}
	// git says that the files are in a working tree: they are being edited, and can be compared with the last commit.
	git    bool
	static map[string]staticFile
}

//go:embed static all:templates
var files embed.FS

// New reads the dashboards and makes a console that has not begun to serve. Errors name the flag that is wrong and what to write instead.
func New(cfg Config) (*Server, error) {
	s := &Server{cfg: cfg, now: cfg.Now, log: cfg.Log}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if cfg.Location == nil {
		s.cfg.Location = time.Local
	}
	if cfg.ScrapeInterval <= 0 {
		s.cfg.ScrapeInterval = 15 * time.Second
	}
	if err := s.address(); err != nil {
		return nil, err
	}
	s.metrics = newMetrics()
	if err := s.clients(); err != nil {
		return nil, err
	}
	var err error
	if s.store, err = newStore(cfg.Paths, s.log); err != nil {
		return nil, err
	}
	s.metrics.files(s.store)
	if s.pages, err = parsePages(); err != nil {
		return nil, err
	}
	if s.static, err = readStatic(); err != nil {
		return nil, err
	}
	s.secret = make([]byte, 32)
	if _, err := rand.Read(s.secret); err != nil {
		return nil, fmt.Errorf("make a key for forms: %w", err)
	}
	s.git = inRepository(cfg.Paths)
	s.busy = make(chan struct{}, pagesAtOnce)
	s.checking = make(chan struct{}, 1)
	s.hub = newHub()
	s.boards = flight.New[*board](8<<20, s.now)
	s.drawn = flight.New[[]byte](8<<20, s.now)
	s.alerts = flight.New[*alertView](4<<20, s.now)
	s.checked = flight.New[[]panelFinding](2<<20, s.now)
	s.changes = flight.New[*changeView](4<<20, s.now)
	return s, nil
}

// address checks where is listened and what the console is called.
func (s *Server) address() error {
	cfg := s.cfg
	host, _, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return fmt.Errorf("--listen %q is not a valid address; write host:port, such as 127.0.0.1:8090", cfg.Listen)
	}
	ip := net.ParseIP(host)
	loopback := host == "localhost" || ip != nil && ip.IsLoopback()
	switch {
	case loopback, cfg.PublishedOnLoopback && cfg.WebConfigFile == "":
	case cfg.WebConfigFile == "":
		return fmt.Errorf("--listen %s is reachable from other machines, and there is no login: listen on 127.0.0.1, name a file with TLS and users by --web.config.file, "+
			"or say --published-on-loopback if it runs in a container whose port is published on 127.0.0.1 only", cfg.Listen)
	default:
		if err := checkWebConfig(cfg.WebConfigFile); err != nil {
			return fmt.Errorf("--web.config.file: %w", err)
		}
	}
	s.hosts = map[string]bool{"localhost": true}
	if cfg.ExternalURL != "" {
		u, err := url.Parse(cfg.ExternalURL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" {
			return fmt.Errorf("--external-url %q is not a valid address; write http://host:8090", cfg.ExternalURL)
		}
		s.external, s.base = u, strings.TrimRight(u.Path, "/")
		s.hosts[strings.ToLower(u.Hostname())] = true
	}
	if host != "" && (ip == nil || !ip.IsUnspecified()) {
		s.hosts[strings.ToLower(host)] = true
	}
	return nil
}

func (s *Server) clients() error {
	cfg := s.cfg
	var err error
	if cfg.Prometheus != "" {
		s.prom, err = prometheus.New(prometheus.Config{URL: cfg.Prometheus, Timeout: cmp.Or(cfg.QueryTimeout, 10*time.Second), Registerer: s.metrics.registry, Now: s.now})
		if err != nil {
			return fmt.Errorf("--prometheus: %w", err)
		}
	}
	s.rules = s.prom
	if cfg.Grafana != "" {
		if cfg.Alertmanager != "" {
			return errors.New("--alertmanager and --grafana name two alert engines; give one")
		}
		auth, err := grafanaTransport(cfg)
		if err != nil {
			return err
		}
		base := strings.TrimRight(cfg.Grafana, "/")
		if s.rules, err = prometheus.New(prometheus.Config{URL: base + "/api/prometheus/grafana", Transport: auth, Now: s.now}); err != nil {
			return fmt.Errorf("--grafana: %w", err)
		}
		if s.am, err = alertmanager.New(base+"/api/alertmanager/grafana", auth, requestTimeout); err != nil {
			return fmt.Errorf("--grafana: %w", err)
		}
	}
	if s.relay, err = relayProxy(cfg); err != nil {
		return err
	}
	if cfg.Alertmanager != "" {
		if s.am, err = alertmanager.New(cfg.Alertmanager, nil, requestTimeout); err != nil {
			return fmt.Errorf("--alertmanager: %w", err)
		}
	}
	return nil
}

// A page says within 3 seconds that a server does not answer, so it waits a little less.
const (
	requestTimeout = 2 * time.Second
	// askTimeout is how long a page waits for Prometheus before it says so; what was asked goes on.
	askTimeout = 2 * time.Second
	// pageTimeout is how long a page waits for everything together.
	pageTimeout = 2500 * time.Millisecond
	// pagesAtOnce bounds how many pages are made at the same time.
	pagesAtOnce = 48
)

// authTransport sends a header with every request.
type authTransport struct {
	next   http.RoundTripper
	header func() (string, error)
}

// RoundTrip implements [http.RoundTripper].
func (t *authTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	value, err := t.header()
	if err != nil {
		return nil, err
	}
	if value != "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", value)
	}
	return t.next.RoundTrip(r)
}

func grafanaTransport(cfg Config) (http.RoundTripper, error) {
	next := &http.Transport{DialContext: (&net.Dialer{Timeout: 2 * time.Second}).DialContext, MaxIdleConnsPerHost: 8, IdleConnTimeout: time.Minute, Proxy: http.ProxyFromEnvironment}
	read := func(file string) (string, error) {
		data, err := os.ReadFile(file)
		return strings.TrimSpace(string(data)), err
	}
	switch {
	case cfg.GrafanaTokenFile != "" && cfg.GrafanaBasicAuthFile != "":
		return nil, errors.New("--grafana-token-file and --grafana-basic-auth-file are two logins; give one")
	case cfg.GrafanaTokenFile != "":
		if _, err := read(cfg.GrafanaTokenFile); err != nil {
			return nil, fmt.Errorf("--grafana-token-file: %w", err)
		}
		// Read again each time, so that a token can be replaced while the console runs.
		return &authTransport{next, func() (string, error) {
			token, err := read(cfg.GrafanaTokenFile)
			return "Bearer " + token, err
		}}, nil
	case cfg.GrafanaBasicAuthFile != "":
		text, err := read(cfg.GrafanaBasicAuthFile)
		if err != nil {
			return nil, fmt.Errorf("--grafana-basic-auth-file: %w", err)
		}
		if !strings.Contains(text, ":") {
			return nil, fmt.Errorf("--grafana-basic-auth-file: %s does not hold user:password", cfg.GrafanaBasicAuthFile)
		}
		return &authTransport{next, func() (string, error) {
			text, err := read(cfg.GrafanaBasicAuthFile)
			return basicAuth(text), err
		}}, nil
	}
	return next, nil
}

// Run serves until ctx ends, then lets running requests finish.
func Run(ctx context.Context, cfg Config) error {
	s, err := New(cfg)
	if err != nil {
		return err
	}
	listener, err := program.Listen(cfg.Listen)
	if err != nil {
		return err
	}
	return s.Serve(ctx, listener)
}

// grace is how long running requests have to finish: longer than any page waits.
const grace = 8 * time.Second

// Serve serves on a listener until ctx ends, and watches the files meanwhile.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go s.watch(watching)
	server := &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	unused := unusedConns{conns: map[net.Conn]bool{}}
	server.ConnState = unused.note
	stopping := func() { s.ready.Store(false); s.hub.close(); unused.close() }
	s.ready.Store(true)
	service := program.Service{Server: server, Listener: listener, Log: s.log, Grace: grace, Stopping: stopping,
		Attributes: []any{"dashboards", s.store.len()}}
	if s.cfg.WebConfigFile != "" {
		// exporter-toolkit serves by itself: TLS, users and their reloading are its own.
		return s.serveWebConfig(ctx, server, listener, stopping)
	}
	return service.Serve(ctx)
}

// unusedConns are connections that nothing has been asked on. Browsers open some ahead, and a server that stops would wait five seconds for a request on them.
type unusedConns struct {
	mu    sync.Mutex
	conns map[net.Conn]bool
}

func (u *unusedConns) note(c net.Conn, state http.ConnState) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if state == http.StateNew {
		u.conns[c] = true
	} else {
		delete(u.conns, c)
	}
}

func (u *unusedConns) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for c := range u.conns {
		_ = c.Close()
	}
}

func (s *Server) serveWebConfig(ctx context.Context, server *http.Server, listener net.Listener, stopping func()) error {
	file := s.cfg.WebConfigFile
	served := make(chan error, 1)
	go func() { served <- web.Serve(listener, server, &web.FlagConfig{WebConfigFile: &file}, s.log) }()
	s.log.Info("listening", "address", listener.Addr().String(), "dashboards", s.store.len(), "web_config", file)
	select {
	case err := <-served:
		return fmt.Errorf("serve on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	s.log.Info("stopping", "timeout", grace)
	stopping()
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := server.Shutdown(deadline); err != nil {
		_ = server.Close()
		return fmt.Errorf("stop within %v: %w", grace, err)
	}
	s.log.Info("stopped")
	return nil
}

// Handler is the console as an HTTP handler.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	get := func(pattern string, h func(*request) error) { mux.Handle("GET "+pattern, s.handle(pattern, h)) }
	post := func(pattern string, h func(*request) error) { mux.Handle("POST "+pattern, s.handle(pattern, h)) }

	get("/{$}", s.home)
	get("/dashboards", s.listPage)
	get("/d/{uid}", s.dashboardPage)
	get("/d/{uid}/{slug}", s.dashboardPage)
	get("/d-solo/{uid}", s.soloPage)
	get("/d-solo/{uid}/{slug}", s.soloPage)
	get("/changes/{uid}", s.changesPage)
	get("/panels/{uid}", s.panels)
	get("/values/{uid}/{key}", s.values)
	get("/picture/{uid}/{key}", s.picture)
	get("/findings/{uid}", s.findings)
	get(eventsPath, s.events)

	get("/alerts", s.alertsPage)
	get("/alerts/{name}", s.alertPage)
	get("/silences", s.silencesPage)
	get("/silences/new", s.silenceForm)
	post("/silences/new", s.createSilence)
	post("/silences/{id}/extend", s.extendSilence)
	post("/silences/{id}/expire", s.expireSilence)
	get("/targets", s.targetsPage)
	get("/runbooks", s.runbooksPage)
	get("/runbooks/{name...}", s.runbookPage)
	s.grafanaURLs(get)
	s.routeAnswers(mux)

	mux.Handle("GET /static/", http.HandlerFunc(s.serveStatic))
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /-/ready", func(w http.ResponseWriter, _ *http.Request) {
		if !s.ready.Load() {
			http.Error(w, "not serving", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	switch s.cfg.DrillSeries {
	case "probe":
		series.New(series.Probe, s.now).Route(mux)
	case "any":
		series.New("", s.now).Route(mux)
	}
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{}))
	mux.Handle("/", s.handle("other", func(r *request) error {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			return problem(http.StatusMethodNotAllowed, r.t("This page can only be read."))
		}
		return problem(http.StatusNotFound, r.t("There is no such page."))
	}))
	return s.guard(mux)
}

// querier is whom a dashboard asks; nil if there is no Prometheus.
func (s *Server) querier() render.Querier {
	if s.prom == nil {
		return nil
	}
	return s.prom
}

func readStatic() (map[string]staticFile, error) {
	out := map[string]staticFile{}
	entries, err := fs.ReadDir(files, "static")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		data, err := fs.ReadFile(files, "static/"+e.Name())
		if err != nil {
			return nil, err
		}
		out[e.Name()] = newStaticFile(e.Name(), data)
	}
	return out, nil
}
