// Package recipes does what CONTRIBUTING tells a newcomer to do, in a copy of the repository: each recipe with the files that it names, at most four
// written by hand, and the checks that it names.
package recipes

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lookout/internal/toolchain"
)

const root = "../.."

// most is how many files a recipe may ask a person to write or change.
const most = 4

// A bench is a copy of the repository for one recipe.
type bench struct {
	t    *testing.T
	dir  string
	hand []string // files written by hand
}

// newBench copies what recipes touch, without what belongs to a machine.
func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir()}
	require.NoError(t, filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		if e.IsDir() {
			if rel != "." && (e.Name() == ".git" || e.Name() == ".cache" || e.Name() == ".terraform" || e.Name() == "secrets" || rel == "test" || rel == "test-results") {
				return fs.SkipDir
			}
			return os.MkdirAll(filepath.Join(b.dir, rel), 0o755)
		}
		if !e.Type().IsRegular() || strings.Contains(name, ".tfstate") || strings.HasSuffix(name, ".auto.tfvars.json") {
			return nil
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(b.dir, rel), data, 0o644)
	}))
	return b
}

func (b *bench) byHand(name string) string {
	if !slices.Contains(b.hand, name) {
		b.hand = append(b.hand, name)
	}
	require.LessOrEqual(b.t, len(b.hand), most, "a recipe has at most %d files: %v", most, b.hand)
	return filepath.Join(b.dir, name)
}

// write makes a file, which must not exist.
func (b *bench) write(name, text string) {
	b.t.Helper()
	require.NoFileExists(b.t, filepath.Join(b.dir, name))
	file := b.byHand(name)
	require.NoError(b.t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(b.t, os.WriteFile(file, []byte(text), 0o644))
}

// change replaces a text in a file, each time that it occurs.
func (b *bench) change(name, from, to string) {
	b.t.Helper()
	file := b.byHand(name)
	data, err := os.ReadFile(file)
	require.NoError(b.t, err)
	require.Contains(b.t, string(data), from, name)
	require.NoError(b.t, os.WriteFile(file, bytes.ReplaceAll(data, []byte(from), []byte(to)), 0o644))
}

// run runs a command in the copy and returns what it prints; exit is the code that it has to end with.
func (b *bench) run(exit int, name string, args ...string) string {
	b.t.Helper()
	cmd := exec.CommandContext(b.t.Context(), name, args...)
	cmd.Dir = b.dir
	out, err := cmd.CombinedOutput()
	require.NotNil(b.t, cmd.ProcessState, "%s: %v", name, err)
	require.Equal(b.t, exit, cmd.ProcessState.ExitCode(), "%s %s\n%s", name, strings.Join(args, " "), out)
	return string(out)
}

// lookout is the command line, compiled once from the checkout: no recipe that calls it changes it.
func lookout(t *testing.T) string {
	t.Helper()
	file, err := filepath.Abs(filepath.Join(root, ".cache", "recipes", "lookout"))
	require.NoError(t, err)
	build := exec.CommandContext(t.Context(), "go", "build", "-o", file, "./cmd/lookout")
	build.Dir = root
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	return file
}

func TestAddAMetric(t *testing.T) {
	b := newBench(t)
	b.change("app/exporter/metrics.go", "\tbuildInfo.Set(1)\n", "\tbuildInfo.Set(1)\n\trefunds := prometheus.NewCounter(prometheus.CounterOpts{Name: \"orders_refunded_total\", Help: \"Orders paid back.\"})\n")
	b.change("app/exporter/metrics.go", "buildInfo, limit, m.requests", "refunds, buildInfo, limit, m.requests")
	require.Contains(t, b.run(1, "go", "test", "./app/exporter", "-run=Contract"), "orders_refunded_total", "the contract notices a metric that it does not have")
	before := b.golden()
	b.run(0, "go", "test", "./app/exporter", "-run=Contract", "-update")
	require.Contains(t, b.golden(), "orders_refunded_total")
	require.NotContains(t, before, "orders_refunded_total")
}

func (b *bench) golden() string {
	data, err := os.ReadFile(filepath.Join(b.dir, "app/exporter/testdata/contract.golden"))
	require.NoError(b.t, err)
	return string(data)
}

func TestAddADashboard(t *testing.T) {
	b, tool := newBench(t), lookout(t)
	const board = `{"editable": false, "panels": [{"datasource": {"type": "prometheus", "uid": "${datasource}"}, "description": "Orders per second, by channel.",
"fieldConfig": {"defaults": {"unit": "ops"}, "overrides": []}, "gridPos": {"h": 8, "w": 24, "x": 0, "y": 0}, "id": 1, "targets": [{"datasource": {"type": "prometheus", "uid": "${datasource}"},
"expr": "sum by (channel) (rate(orders_created_total[$__rate_interval]))", "legendFormat": "{{channel}}", "refId": "A"}], "title": "Orders", "type": "timeseries"}],
"refresh": "30s", "schemaVersion": 42, "tags": [], "templating": {"list": [{"label": "Datasource", "name": "datasource", "query": "prometheus", "refresh": 1, "type": "datasource"}]},
"time": {"from": "now-1h", "to": "now"}, "title": "Orders of the shop", "uid": "shop"}`
	b.write("dashboards/shop/shop.json", board)
	b.run(1, tool, "fmt", "--check", "dashboards/shop")
	b.run(0, tool, "fmt", "dashboards/shop")
	b.run(0, tool, "fmt", "--check", "dashboards")
	b.run(0, tool, "lint", "--fail-on=info", "dashboards/shop")
	// And what would be wrong is said.
	b.change("dashboards/shop/shop.json", `"uid": "shop"`, `"uid": "other"`)
	require.Contains(t, b.run(1, tool, "lint", "dashboards/shop"), "shop.json")
}

const alert = `# What the shop's customers notice.
groups:
  - name: shop
    interval: 1m
    rules:
      - alert: OrdersStopped
        uid: orders-stopped
        expr: sum by (job) (rate(orders_created_total[5m]))
        window: 5m
        threshold:
          below: 0.01
        for: 10m
        no_data_state: OK
        exec_err_state: KeepLast
        labels:
          severity: critical
        annotations:
          summary: 【报警】没有新订单 No orders
          description: |-
            服务 {{ $labels.job }} 每秒只有 {{ $value | humanize }} 个新订单。
            {{ $labels.job }} takes {{ $value | humanize }} orders a second.
          runbook_url: docs/runbooks/orders-stopped.md
        panel:
          dashboard: service
          id: 9
`

// alertTest has the three cases that `rules check --tests` wants, just under the threshold and just above.
const alertTest = `# Unit tests of shop.yaml for promtool.
rule_files:
  - shop.rules.yaml

evaluation_interval: 1m

tests:
  - name: orders that stop fire after ten minutes, and recover when they come again
    interval: 1m
    input_series:
      - series: orders_created_total{job="go", channel="web"}
        values: 0+60x10 600x30 600+60x30
    alert_rule_test:
      - eval_time: 23m
        alertname: OrdersStopped
        exp_alerts: []
      - eval_time: 30m
        alertname: OrdersStopped
        exp_alerts:
          - exp_labels:
              job: go
              severity: critical
            exp_annotations:
              summary: 【报警】没有新订单 No orders
              description: |-
                服务 go 每秒只有 0 个新订单。
                go takes 0 orders a second.
              runbook_url: docs/runbooks/orders-stopped.md
      - eval_time: 50m
        alertname: OrdersStopped
        exp_alerts: []

  - name: a trickle just above the threshold stays quiet
    interval: 1m
    input_series:
      - series: orders_created_total{job="go", channel="web"}
        values: 0+0.66x60
    alert_rule_test:
      - eval_time: 50m
        alertname: OrdersStopped
        exp_alerts: []
`

func TestAddAnAlert(t *testing.T) {
	b, tool := newBench(t), lookout(t)
	b.write("alerts/shop.yaml", alert)
	require.Contains(t, b.run(1, tool, "rules", "check", "--tests"), "OrdersStopped", "an alert without tests and runbook")
	b.write("alerts/shop.test.yaml", alertTest)
	b.write("docs/runbooks/orders-stopped.md", "# OrdersStopped\n\n[中文](orders-stopped.zh-CN.md)\n\nCheck the payment provider.\n")
	b.write("docs/runbooks/orders-stopped.zh-CN.md", "# OrdersStopped\n\n[English](orders-stopped.md)\n\n检查支付渠道。\n")
	b.run(0, tool, "rules", "check", "--tests")
	b.run(0, tool, "lint", "alerts")
	promtool, err := filepath.Abs(filepath.Join(root, ".cache/bin/promtool"))
	require.NoError(t, err)
	t.Setenv("LOOKOUT_PROMTOOL", promtool)
	b.run(0, tool, "rules", "test", "alerts/shop.yaml")
	b.change("alerts/shop.test.yaml", "exp_alerts: []\n\n  - name", "exp_alerts:\n          - exp_labels: {job: other}\n\n  - name")
	b.run(1, tool, "rules", "test", "alerts/shop.yaml")
}

func TestAddAnEnvironment(t *testing.T) {
	b := newBench(t)
	b.run(0, "go", "run", "./cmd/toolchain", "--repo="+b.dir, "--name=qa", "new-env")
	for _, name := range []string{"alerts.yaml", "platform/main.tf", "content/main.tf", "platform/backend.hcl.example"} {
		require.FileExists(t, filepath.Join(b.dir, "envs/qa", name))
	}
	main, err := os.ReadFile(filepath.Join(b.dir, "envs/qa/platform/main.tf"))
	require.NoError(t, err)
	require.NotContains(t, string(main), "staging")
	b.run(0, lookout(t), "rules", "check")
}

func TestAddALintRule(t *testing.T) {
	b := newBench(t)
	b.write("internal/lint/dashboard_tags.go", `package lint

import (
	"lookout/internal/dashboard"
	"lookout/internal/finding"
)

var dashboardTags = &Rule{
	ID: "dashboard-tags", Severity: finding.Info,
	Summary: "A dashboard without a tag is not found by one.",
	Dashboard: func(p *Pass) {
		n := p.Dashboard.Root.Get("tags")
		if !n.Is(dashboard.Array) {
			return
		}
		for range n.Items() {
			return
		}
		p.Node(n, "it has no tag")
	},
}
`)
	b.change("internal/lint/rules.go", "refreshTooFast,", "refreshTooFast, dashboardTags,")
	require.Contains(t, b.run(1, "go", "test", "./internal/lint", "-run=TestEachRuleHasAPage"), "a page for each rule", "a rule without a page")
	b.write("docs/lint/dashboard-tags.md", "# dashboard-tags\n\n**info** · A dashboard without a tag is not found by one.\n\n## Fails\n\n```json\n{\"title\": \"T\", \"panels\": [], \"tags\": []}\n```\n\n"+
		"## Passes\n\n```json\n{\"title\": \"T\", \"panels\": [], \"tags\": [\"shop\"]}\n```\n")
	// make generate
	readme := filepath.Join(b.dir, "docs/lint/README.md")
	data, err := os.ReadFile(readme)
	require.NoError(t, err)
	row := "| [dashboard-tags](dashboard-tags.md) | info | A dashboard without a tag is not found by one. |\n"
	require.NoError(t, os.WriteFile(readme, bytes.Replace(data, []byte("<!-- /generated -->"), []byte(row+"<!-- /generated -->"), 1), 0o644))
	b.run(0, "go", "test", "./internal/lint", "-run=TestEachRuleHasAPage/dashboard-tags")
}

func TestAddAChannel(t *testing.T) {
	b := newBench(t)
	// The shortest example under another name, its two files as one.
	source, codes := b.read("app/relay/internal/channel/wecom/wecom.go"), b.read("app/relay/internal/channel/wecom/answer.go")
	rename := func(s string) string {
		return strings.NewReplacer("package wecom", "package acme", "\"wecom\"", "\"acme\"", "\"WeCom\"", "\"Acme\"", "qyapi.weixin.qq.com/cgi-bin/webhook/send", "acme.example.com/send").Replace(s)
	}
	b.write("app/relay/internal/channel/acme/acme.go", rename(source))
	b.write("app/relay/internal/channel/acme/answer.go", rename(codes))
	b.change("app/relay/internal/channel/kinds/kinds.go", "\t&wecom.Kind,\n", "\t&wecom.Kind,\n\t&acme.Kind,\n")
	b.change("app/relay/internal/channel/kinds/kinds.go", "\t\"lookout/app/relay/internal/channel/dingtalk\"\n", "\t\"lookout/app/relay/internal/channel/acme\"\n\t\"lookout/app/relay/internal/channel/dingtalk\"\n")
	require.NotEmpty(t, b.run(0, "go", "run", "./app/relay", "render", "--kind=acme"), "the relay renders a message of the new kind")
	require.Contains(t, b.run(1, "go", "run", "./app/relay", "render", "--kind=other"), "acme", "and names it among the kinds that it knows")
}

func (b *bench) read(name string) string {
	data, err := os.ReadFile(filepath.Join(b.dir, name))
	require.NoError(b.t, err)
	return string(data)
}

// The version of an image stands in four places, and nowhere else outside of tests, examples of messages and generated tables.
func TestChangeAnImagesVersion(t *testing.T) {
	b := newBench(t)
	was, is := "v"+toolchain.PrometheusVersion, "v3.99.0"
	b.change("internal/toolchain/parts.go", `PrometheusVersion = "`+toolchain.PrometheusVersion+`"`, `PrometheusVersion = "3.99.0"`)
	b.change("tools/prometheus/go.mod", "github.com/prometheus/prometheus v0.316.0", "github.com/prometheus/prometheus v0.399.0")
	for _, name := range []string{"modules/prometheus/variables.tf", "stacks/platform/variables.tf"} {
		b.change(name, "prom/prometheus:"+was, "prom/prometheus:"+is)
	}
	left := regexp.MustCompile(regexp.QuoteMeta("prom/prometheus:" + was))
	found := map[string]bool{}
	for _, dir := range []string{"modules", "stacks", "envs", "internal", "cmd", "app"} {
		require.NoError(t, filepath.WalkDir(filepath.Join(b.dir, dir), func(name string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			base := e.Name()
			if strings.HasSuffix(base, "_test.go") || strings.HasSuffix(base, ".tftest.hcl") || strings.HasSuffix(base, ".md") || strings.Contains(name, "testdata") {
				return nil
			}
			data, err := os.ReadFile(name)
			if err == nil && left.Match(data) {
				found[strings.TrimPrefix(name, b.dir+"/")] = true
			}
			return err
		}))
	}
	require.Empty(t, slices.Sorted(maps.Keys(found)), "the old version is left in")
}

func TestAddASourceOfMetrics(t *testing.T) {
	b := newBench(t)
	file := "envs/local/platform/main.tf"
	require.Regexp(t, `(?m)^\s+scrape_jobs\s+= `, b.read(file), "where the recipe says that jobs are added")
	b.write(".github/metrics/shop.prom", "# HELP shop_visits_total Visits.\n# TYPE shop_visits_total counter\nshop_visits_total{page=\"home\"} 1\n")
	tool := lookout(t)
	b.write("dashboards/shop/visits.json", `{"uid": "visits", "title": "Visits", "panels": [{"id": 1, "title": "V", "type": "timeseries", "gridPos": {"h": 8, "w": 24, "x": 0, "y": 0},
"targets": [{"refId": "A", "expr": "rate(shop_visits_total[5m])"}]}]}`)
	b.run(0, tool, "check", "--metrics", ".github/metrics/shop.prom", "dashboards/shop")
	b.change("dashboards/shop/visits.json", "shop_visits_total", "shop_visit_total")
	require.Contains(t, b.run(1, tool, "check", "--metrics", ".github/metrics/shop.prom", "dashboards/shop"), "shop_visit_total")
}

// CONTRIBUTING has the recipes that are tried here, in both languages by docs.TestTranslationsSayTheSame.
func TestContributingHasTheRecipes(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(root, "CONTRIBUTING.md"))
	require.NoError(t, err)
	for _, heading := range []string{"Add a metric", "Add a dashboard", "Add an alert", "Add an environment", "Add a lint rule", "Add a kind of channel", "Add a source of metrics",
		"Change an image's version", "Add a dependency"} {
		require.Contains(t, string(data), "\n## "+heading+"\n")
	}
}
