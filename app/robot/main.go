// Command robot is a DingTalk custom robot to try things on: it keeps the rules and gives the
// answers of the real one, shows what the group would see, and breaks on request.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"time"
	_ "time/tzdata" // an image from scratch has no time zones of its own

	"github.com/alecthomas/kong"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.yaml.in/yaml/v3"

	"lookout/app/robot/robot"
	"lookout/app/robot/stream"
	"lookout/internal/program"
)

// Stamped by the build: -ldflags "-X main.version=… -X main.revision=…".
var (
	version  = "dev"
	revision = "unknown"
)

type options struct {
	Listen string `default:":8060" help:"Address to serve on, host:port. Port 0 takes a free one, which is logged."`

	RobotsFile  string   `placeholder:"FILE" help:"YAML file with several robots; see the README. Replaces the flags that describe one."`
	AccessToken string   `default:"lookout" help:"Access token of the one robot."`
	Name        string   `default:"Lookout" help:"Name of the one robot."`
	Keyword     []string `default:"报警" sep:"none" help:"Keyword of which one must stand in a message; repeatable. Empty: no keywords."`
	Secret      string   `env:"ROBOT_SECRET" help:"Secret with which calls must be signed."`
	AllowIP     []string `name:"allow-ip" placeholder:"CIDR" help:"Address or range that callers must come from; repeatable."`

	ClientID     string `name:"client-id" placeholder:"ID" help:"Client ID of an app whose robot sends cards; needs --client-secret."`
	ClientSecret string `name:"client-secret" env:"ROBOT_CLIENT_SECRET" placeholder:"SECRET" help:"Client Secret of that app."`

	PerMinute int           `default:"20" help:"Messages a robot takes within any --window."`
	Window    time.Duration `default:"1m" help:"What counts as a minute for --per-minute."`
	Block     time.Duration `default:"10m" help:"How long a robot is blocked after one message too many."`
	ClockSkew time.Duration `default:"1h" help:"How far the timestamp of a signature may be off."`
	MaxBody   int           `default:"20000" help:"Longest body in bytes."`
	Keep      int           `default:"1000" help:"Messages kept in memory; older ones are forgotten, and all with the program."`
	Wording   string        `default:"described" enum:"described,classic" help:"Generation of refusal texts: ${enum}."`
	Seed      uint64        `default:"1" help:"Seed of faults at random, so that a run can be repeated."`
	TimeZone  string        `default:"Asia/Shanghai" help:"Time zone of the page."`

	ShutdownTimeout time.Duration    `default:"10s" help:"How long running requests may take to end once a stop was asked for."`
	LogLevel        string           `default:"info" enum:"debug,info,warn,error" help:"Least severe level to log: ${enum}."`
	LogFormat       string           `default:"text" enum:"text,json" help:"Format of the log on stderr: ${enum}."`
	Version         kong.VersionFlag `help:"Print version, revision and Go version."`
}

func main() {
	program.Main(func(ctx context.Context) int {
		return program.Report(os.Stderr, "robot", run(ctx, os.Args[1:], os.Stdout, os.Stderr))
	})
}

// run is the whole program. It returns nil after a graceful stop, which ctx asks for, and otherwise
// what kept it from serving.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	opts, err := parse(args, stdout)
	if errors.Is(err, program.ErrDone) {
		return nil
	}
	if err != nil {
		return err
	}
	log := program.Logger(stderr, opts.LogLevel, opts.LogFormat)

	robots, err := opts.robots()
	if err != nil {
		return err
	}
	zone, err := time.LoadLocation(opts.TimeZone)
	if err != nil {
		return fmt.Errorf("--time-zone=%s: %w (give a name such as Asia/Shanghai)", opts.TimeZone, err)
	}
	reg, err := newRegistry()
	if err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	group, err := robot.New(robot.Config{
		Robots: robots, PerMinute: opts.PerMinute, Window: opts.Window, Block: opts.Block,
		ClockSkew: opts.ClockSkew, MaxBody: opts.MaxBody, Keep: opts.Keep, Wording: robot.Wording(opts.Wording),
		TimeZone: zone, Now: time.Now, Rand: rand.New(rand.NewPCG(opts.Seed, opts.Seed)),
		Logger: log, Registry: reg, Version: version,
	})
	if err != nil {
		return err
	}
	defer group.Close()

	var cards http.Handler
	if opts.ClientID != "" || opts.ClientSecret != "" {
		app, err := stream.New(stream.Config{ClientID: opts.ClientID, ClientSecret: opts.ClientSecret})
		if err != nil {
			return fmt.Errorf("--client-id and --client-secret belong together: %w", err)
		}
		cards = app.Handler()
	}
	listener, err := program.Listen(opts.Listen)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           handler(group, cards, reg),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      90 * time.Second, // above the longest scripted wait; event streams set their own
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	server.RegisterOnShutdown(group.Close)
	return program.Service{
		Server: server, Listener: listener, Log: log, Grace: opts.ShutdownTimeout,
		Attributes: []any{"robots", len(robots), "version", version, "revision", revision, "go", runtime.Version()},
	}.Serve(ctx)
}

func parse(args []string, stdout io.Writer) (opts options, err error) {
	_, err = program.Parse(&opts, args, stdout,
		kong.Name("robot"),
		kong.Description("A DingTalk custom robot to try things on: real rules, real answers, faults on request."),
		kong.Vars{"version": fmt.Sprintf("robot %s (revision %s, %s)", version, revision, runtime.Version())},
	)
	if err != nil {
		return opts, err
	}
	return opts, opts.validate()
}

func (o options) validate() error {
	for flag, n := range map[string]int64{
		"--per-minute": int64(o.PerMinute), "--window": int64(o.Window), "--block": int64(o.Block), "--clock-skew": int64(o.ClockSkew),
		"--max-body": int64(o.MaxBody), "--keep": int64(o.Keep), "--shutdown-timeout": int64(o.ShutdownTimeout),
	} {
		if n <= 0 {
			return fmt.Errorf("%s: give something above zero", flag)
		}
	}
	return nil
}

// robots are those of --robots-file, or the one that the flags describe.
func (o options) robots() ([]robot.Robot, error) {
	if o.RobotsFile == "" {
		keywords := o.Keyword
		if len(keywords) == 1 && keywords[0] == "" {
			keywords = nil
		}
		ips, err := parseIPs(o.AllowIP)
		if err != nil {
			return nil, fmt.Errorf("--allow-ip=%w", err)
		}
		return []robot.Robot{{AccessToken: o.AccessToken, Name: o.Name, Keywords: keywords, Secret: o.Secret, AllowedIPs: ips}}, nil
	}
	f, err := os.Open(o.RobotsFile)
	if err != nil {
		return nil, fmt.Errorf("--robots-file: %w", err)
	}
	defer f.Close()
	robots, err := readRobots(f)
	if err != nil {
		return nil, fmt.Errorf("--robots-file=%s: %w", o.RobotsFile, err)
	}
	return robots, nil
}

func readRobots(r io.Reader) ([]robot.Robot, error) {
	var file struct {
		Robots []struct {
			Chat        string   `yaml:"chat"`
			AccessToken string   `yaml:"access_token"`
			Name        string   `yaml:"name"`
			Keywords    []string `yaml:"keywords"`
			Secret      string   `yaml:"secret"`
			AllowedIPs  []string `yaml:"allowed_ips"`
			State       string   `yaml:"state"`
		} `yaml:"robots"`
	}
	dec := yaml.NewDecoder(r)
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.New(strings.Join(strings.Fields(err.Error()), " ")) // the library breaks lines
	}
	var robots []robot.Robot
	for _, in := range file.Robots {
		ips, err := parseIPs(in.AllowedIPs)
		if err != nil {
			return nil, fmt.Errorf("robot %s: allowed_ips: %w", in.Name, err)
		}
		if in.Chat == "dingtalk" {
			in.Chat = ""
		}
		robots = append(robots, robot.Robot{
			Chat: robot.Chat(in.Chat), AccessToken: in.AccessToken, Name: in.Name, Keywords: in.Keywords, Secret: in.Secret,
			AllowedIPs: ips, State: robot.State(in.State),
		})
	}
	return robots, nil
}

func parseIPs(given []string) ([]netip.Prefix, error) {
	var prefixes []netip.Prefix
	for _, g := range given {
		if addr, err := netip.ParseAddr(g); err == nil {
			prefixes = append(prefixes, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(g)
		if err != nil {
			return nil, fmt.Errorf("%q: give an address or a range such as 10.0.0.0/8", g)
		}
		prefixes = append(prefixes, p)
	}
	return prefixes, nil
}

func newRegistry() (*prometheus.Registry, error) {
	reg := prometheus.NewRegistry()
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "robot_build_info",
		Help: "Always 1; its labels say what is running.",
		ConstLabels: prometheus.Labels{
			"version": version, "revision": revision, "goversion": runtime.Version(),
		},
	})
	info.Set(1)
	for _, c := range []prometheus.Collector{
		info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return reg, nil
}

func handler(group *robot.Server, cards http.Handler, reg prometheus.Gatherer) http.Handler {
	mux := http.NewServeMux()
	if cards != nil {
		for _, path := range []string{"/v1.0/", "/connect", "/api/cards", "/api/cards/"} {
			mux.Handle(path, cards)
		}
	}
	mux.Handle("/", group.Handler())
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{
		EnableOpenMetrics: true,
		// zstd allocates about 10 MB per scrape.
		OfferedCompressions: []promhttp.Compression{promhttp.Identity, promhttp.Gzip},
	}))
	// There is nothing it waits for or could lose: it is ready as soon as it is healthy.
	for _, path := range []string{"GET /-/healthy", "GET /-/ready"} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	}
	return mux
}
