package drill

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lookout/internal/drill"
	"lookout/internal/rules"
)

const repository = "../.."

// programs are built once for all tests.
var programs struct {
	once sync.Once
	dir  string
	err  error
}

func TestMain(m *testing.M) {
	// A chain mostly waits for intervals.
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		if err := flag.Set("test.parallel", "6"); err != nil {
			panic(err)
		}
	}
	code := m.Run()
	if programs.dir != "" {
		_ = os.RemoveAll(programs.dir)
	}
	os.Exit(code)
}

func program(t testing.TB, name string) string {
	t.Helper()
	if name == "prometheus" || name == "alertmanager" {
		path, err := filepath.Abs(filepath.Join(repository, ".cache/bin", name))
		require.NoError(t, err)
		require.FileExists(t, path, "make init gets it")
		return path
	}
	programs.once.Do(func() {
		if programs.dir, programs.err = os.MkdirTemp("", "drill-test-"); programs.err != nil {
			return
		}
		cmd := exec.Command("go", "build", "-o", programs.dir, "./app/relay", "./app/robot", "./app/exporter", "./cmd/lookout")
		cmd.Dir = repository
		if out, err := cmd.CombinedOutput(); err != nil {
			programs.err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	require.NoError(t, programs.err)
	return filepath.Join(programs.dir, name)
}

// chain is the whole way of an alert as processes of a test.
type chain struct {
	t     testing.TB
	dir   string
	addr  map[string]string
	procs map[string]*exec.Cmd
	out   map[string]*bytes.Buffer

	// What a test may break before start.
	rules      string // Prometheus' rule file
	threshold  string // of ThreadsHigh, "" as it is
	target     string // of the relay that Alertmanager sends to
	token      string // that Alertmanager sends
	relay      string // address that Alertmanager sends to
	robotToken string // that the relay sends
	scrape     string // scrape configuration of the drill's series
	sends      bool   // whether Prometheus has an Alertmanager
	series     string // which series the console takes
}

var services = []string{"robot", "relay", "alertmanager", "exporter", "console", "prometheus"}

func newChain(t testing.TB) *chain {
	t.Helper()
	c := &chain{t: t, dir: t.TempDir(), addr: map[string]string{}, procs: map[string]*exec.Cmd{}, out: map[string]*bytes.Buffer{}, target: "ops", token: "senders", robotToken: "token", sends: true, series: "any"}
	for _, name := range services {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		c.addr[name] = l.Addr().String()
		defer l.Close()
	}
	c.relay = c.addr["relay"]
	require.NoError(t, os.CopyFS(filepath.Join(c.dir, "alerts"), os.DirFS("testdata/alerts")))
	require.NoError(t, os.MkdirAll(filepath.Join(c.dir, "envs/local/platform"), 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(c.dir, "envs/prod/platform"), 0o755))
	return c
}

func (c *chain) write(name, text string) string {
	c.t.Helper()
	path := filepath.Join(c.dir, name)
	require.NoError(c.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(c.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func (c *chain) files() ([]*rules.File, []*rules.UnitTests) {
	c.t.Helper()
	files, err := rules.ReadDir(os.DirFS(c.dir), "alerts")
	require.NoError(c.t, err)
	tests, err := rules.ReadTestsDir(os.DirFS(c.dir), "alerts")
	require.NoError(c.t, err)
	return files, tests
}

// start starts everything and waits until it is ready.
func (c *chain) start() {
	c.t.Helper()
	for _, name := range services {
		c.run(name)
	}
	for _, name := range services {
		c.ready(name)
	}
}

// run starts one service.
func (c *chain) run(name string) {
	c.t.Helper()
	addr := c.addr[name]
	var args []string
	bin := name
	switch name {
	case "robot":
		args = []string{"--listen=" + addr, "--access-token=token", "--name=ops", "--per-minute=1000"}
	case "exporter":
		args = []string{"--listen=" + addr, "--enable-faults", "--self-traffic=20"}
	case "console":
		bin = "lookout"
		dashboards, err := filepath.Abs(filepath.Join(repository, "dashboards/delivery"))
		require.NoError(c.t, err)
		args = []string{"serve", dashboards, "--listen=" + addr, "--drill-series=" + c.series, "--prometheus=http://" + c.addr["prometheus"], "--alertmanager=http://" + c.addr["alertmanager"]}
	case "relay":
		c.write("secrets/ops", c.robotToken)
		c.write("secrets/senders", "senders")
		c.write("secrets/admin", "admin")
		config := c.write("relay.yaml", fmt.Sprintf(`
robots: {ops: {url: "http://%s/robot/send", token_file: secrets/ops, keywords: [报警]}}
heartbeats: {chain: {target: ops, timeout: 1m}}
bearer_token_file: secrets/senders
admin_token_file: secrets/admin
`, c.addr["robot"]))
		args = []string{"serve", "--config=" + config, "--listen=" + addr, "--spool=" + filepath.Join(c.dir, "spool.db"), "--reserve-mib=1"}
	case "alertmanager":
		hook := func(path string) string {
			return fmt.Sprintf(`webhook_configs: [{send_resolved: true, url: "http://%s%s", http_config: {authorization: {credentials: %s}}}]`, c.relay, path, c.token)
		}
		config := c.write("alertmanager.yml", `
route:
  {receiver: target-ops, group_by: [alertname], group_wait: 1s, group_interval: 1s, repeat_interval: 1h, routes: [
    {matchers: ['alertname="Watchdog"'], receiver: heartbeat, group_wait: 1s, group_interval: 1s, repeat_interval: 1s}]}
receivers:
  - name: target-ops
    `+hook("/v1/robots/"+c.target)+`
  - name: heartbeat
    `+hook("/v1/heartbeats/chain")+`
inhibit_rules: [{source_matchers: [alertname="Stronger"], target_matchers: [alertname="ThreadsHigh"]}]
`)
		args = []string{"--config.file=" + config, "--storage.path=" + filepath.Join(c.dir, "am"), "--web.listen-address=" + addr, "--cluster.listen-address=", "--log.level=warn"}
	case "prometheus":
		if c.rules == "" {
			files, _ := c.files()
			data, err := rules.Export(files, rules.Target{Environment: "local"})
			require.NoError(c.t, err)
			c.rules = string(data)
			if c.threshold != "" {
				changed := strings.Replace(c.rules, ") > 80\n", ") > "+c.threshold+"\n", 1)
				require.NotEqual(c.t, c.rules, changed)
				c.rules = changed
			}
		}
		c.write("rules.yml", c.rules)
		config := "global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [rules.yml]\n"
		if c.sends {
			config += fmt.Sprintf("alerting: {alertmanagers: [{static_configs: [{targets: ['%s']}]}]}\n", c.addr["alertmanager"])
		}
		config += "scrape_configs:\n- {job_name: go, static_configs: [{targets: ['" + c.addr["exporter"] + "'], labels: {instance: go1}}]}\n"
		if c.scrape == "" {
			c.scrape = "- {job_name: drill, honor_labels: true, metrics_path: /drill/metrics, static_configs: [{targets: ['" + c.addr["console"] + "']}]}\n"
		}
		file := c.write("prometheus.yml", config+c.scrape)
		args = []string{"--config.file=" + file, "--storage.tsdb.path=" + filepath.Join(c.dir, "data"), "--web.listen-address=" + addr, "--rules.alert.resend-delay=1s", "--log.level=warn"}
	}
	cmd := exec.Command(program(c.t, bin), args...)
	out := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr, cmd.Dir = out, out, c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(c.t, cmd.Start())
	c.procs[name], c.out[name] = cmd, out
	c.t.Cleanup(func() {
		c.stop(name)
		if c.t.Failed() {
			text := out.String()
			c.t.Logf("%s wrote:\n%s", name, text[max(0, len(text)-2000):])
		}
	})
}

func (c *chain) ready(name string) {
	c.t.Helper()
	path := "/-/ready"
	if name == "robot" {
		path = "/api/messages"
	}
	c.eventually(30*time.Second, name+" is ready", func() error {
		resp, err := http.Get("http://" + c.addr[name] + path)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s", resp.Status)
		}
		return nil
	})
}

// stop kills one service.
func (c *chain) stop(name string) {
	if cmd := c.procs[name]; cmd != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		delete(c.procs, name)
	}
}

func (c *chain) eventually(within time.Duration, what string, f func() error) {
	c.t.Helper()
	var err error
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(within); time.Now().Before(end); <-tick.C {
		if err = f(); err == nil {
			return
		}
	}
	c.t.Fatalf("%s: not within %v: %v", what, within, err)
}

func (c *chain) url(name string) string { return "http://" + c.addr[name] }

// open is the chain as the drill sees it.
func (c *chain) open() *drill.Chain {
	return &drill.Chain{
		Engine: drill.EnginePrometheus, Prometheus: drill.Address{URL: c.url("prometheus")}, Alertmanager: drill.Address{URL: c.url("alertmanager")},
		Relay: drill.Address{URL: c.url("relay"), Authorization: "Bearer admin"}, Robot: drill.Address{URL: c.url("robot")},
		Console: drill.Address{URL: c.url("console")}, Exporter: drill.Address{URL: c.url("exporter")},
	}
}

func (c *chain) plans(alerts ...string) []*drill.Plan {
	c.t.Helper()
	files, tests := c.files()
	all, err := drill.Plans(files, tests, drill.Settings{Scrape: time.Second, Knobs: []string{"threads"}})
	require.NoError(c.t, err)
	var out []*drill.Plan
	for _, p := range all {
		for _, name := range alerts {
			if p.Alert == name {
				out = append(out, p)
			}
		}
	}
	require.Len(c.t, out, len(alerts))
	return out
}

// options are patient: CI runs everything at once.
func (c *chain) options() *drill.Options {
	return &drill.Options{Chain: c.open(), Environment: "local", Slack: 20 * time.Second, Patience: 20 * time.Second, Starts: 1000, Lease: 4 * time.Second,
		Say: func(alert string, s drill.Stage) { c.t.Logf("%s %s", alert, s.Line()) }}
}

func (c *chain) drill(ctx context.Context, o *drill.Options, alerts ...string) []drill.Result {
	c.t.Helper()
	results, err := drill.Drill(ctx, c.plans(alerts...), o)
	require.NoError(c.t, err)
	for _, r := range results {
		c.t.Logf("%s: %s %q", r.Alert, r.Words(), r.Notes)
	}
	return results
}
