// Package sources runs every source of metrics next to a stack, and asks whether all that is shipped about them fits.
package sources

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"lookout/internal/dashboard"
	"lookout/internal/docker"
	"lookout/internal/render"
	"lookout/internal/stack"
	"lookout/test/internal/checkout"
)

var long = flag.Bool("long", false, "run what takes minutes (make test-sources)")

func needsLong(t *testing.T) {
	t.Helper()
	if !*long {
		t.Skip("takes minutes: make test-sources")
	}
}

// The bars that a machine that does nothing else has to keep.
const (
	warmUp     = 60 * time.Second
	idleMiB    = 450
	discovered = 15 * time.Second
)

func TestAllSources(t *testing.T) {
	needsLong(t)
	c, err := checkout.Find()
	require.NoError(t, err)
	name := "lookout-sources-" + strings.ToLower(rand.Text()[:6])
	dir := filepath.Join(t.TempDir(), "tree")
	require.NoError(t, c.CopyTracked(t.Context(), dir))
	must(t, dir, "git init --quiet --initial-branch=main && git add --all && "+
		"git -c user.name=test -c user.email=test@example.com -c commit.gpgsign=false commit --quiet --no-verify --message=tree")
	t.Cleanup(func() { clear(t, name) })

	// Images, toolchain and providers first: warm is what comes after.
	must(t, dir, "make init NAME="+name+" SOURCES=all")
	start := time.Now()
	must(t, dir, "make up")
	took := time.Since(start)
	t.Logf("make up SOURCES=all, warm: %.1f s", took.Seconds())
	if took > warmUp {
		t.Errorf("warm it took %s, more than %s", took.Round(time.Second), warmUp)
	}

	var vars struct{ Ports map[string]int }
	data, err := os.ReadFile(filepath.Join(dir, "envs/local/platform/name.auto.tfvars.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &vars))
	prometheus := "http://127.0.0.1:" + strconv.Itoa(vars.Ports["prometheus"])
	client, err := api.NewClient(api.Config{Address: prometheus})
	require.NoError(t, err)
	p := server{v1.NewAPI(client)}

	t.Run("every target is up and every server answers", func(t *testing.T) {
		p.until(t, time.Minute, "up == 0 or redis_up == 0 or memcached_up == 0 or mysql_up == 0 or pg_up == 0 or probe_success == 0", 0)
		p.until(t, time.Minute, "count(redis_up == 1 and on () memcached_up == 1 and on () mysql_up == 1 and on () pg_up == 1 and on () jvm_threads_current and on () node_uname_info)", 1)
	})
	t.Run("every panel has data", func(t *testing.T) { panels(t, dir, p.API, time.Now().Add(-2*time.Minute), "trends") })
	t.Run("everything that is asked for is exposed", func(t *testing.T) {
		out := must(t, dir, "go run ./cmd/lookout lint dashboards alerts && go run ./cmd/lookout check --run-exporters dashboards alerts modules/prometheus/rules slos/rules")
		t.Log(out)
	})
	t.Run("a labelled container is scraped, and leaves without an alarm", func(t *testing.T) { p.discovery(t, name) })
	t.Run("idle memory", func(t *testing.T) {
		total := memory(t, name)
		t.Logf("idle memory: %.0f MiB", total)
		if total > idleMiB {
			t.Errorf("the containers take %.0f MiB, more than %d", total, idleMiB)
		}
	})
	t.Run("nothing is changed by a second plan", func(t *testing.T) { require.Contains(t, must(t, dir, "make up"), "no changes") })
	t.Run("without sources nothing of them stays", func(t *testing.T) {
		must(t, dir, "make up SOURCES=none")
		out := must(t, dir, "docker ps --all --format '{{.Names}}' --filter label="+stack.LabelEnvironment+"="+name)
		require.NotRegexp(t, name+"-(redis|mysql|postgres|memcached|jvm-sample|discovery|pushgateway)", out)
	})
	must(t, dir, "make down")
}

type server struct{ v1.API }

// until asks an expression until it has this many series.
func (s server) until(t *testing.T, within time.Duration, expr string, series int) {
	t.Helper()
	var last string
	require.Eventually(t, func() bool {
		value, _, _, err := s.Query(t.Context(), expr, time.Now())
		if err != nil {
			last = err.Error()
			return false
		}
		last = value.String()
		vector, _ := value.(model.Vector)
		return len(vector) == series
	}, within, 250*time.Millisecond, "%s: %s", expr, &last)
}

// discovery starts a container with the label, in the network of the stack, and removes it again.
func (s server) discovery(t *testing.T, name string) {
	ctx := t.Context()
	image, err := docker.Run(ctx, "inspect", "--format", "{{.Image}}", name+"-exporter")
	require.NoError(t, err)
	found := name + "-found"
	t.Cleanup(func() { docker.Run(context.WithoutCancel(ctx), "rm", "--force", found) }) //nolint:errcheck // it is gone if all went well
	start := time.Now()
	_, err = docker.Run(ctx, "run", "--detach", "--name="+found, "--network="+name, "--label=lookout.scrape=true", "--label=lookout.port=9100", "--label=lookout.job=orders", image)
	require.NoError(t, err)
	s.until(t, time.Minute, `up{job="orders"} == 1`, 1)
	took := time.Since(start)
	t.Logf("label → scraped: %.1f s", took.Seconds())
	if took > discovered {
		t.Errorf("it took %s, more than %s", took, discovered)
	}
	_, err = docker.Run(ctx, "rm", "--force", found)
	require.NoError(t, err)
	gone := time.Now()
	s.until(t, time.Minute, `up{job="orders"}`, 0)
	// A pending period and two evaluations later there would be an alarm.
	time.Sleep(time.Until(gone.Add(time.Minute)))
	value, _, _, err := s.Query(ctx, `count_over_time(ALERTS{alertname="TargetDown", job="orders", alertstate="firing"}[2m])`, time.Now())
	require.NoError(t, err)
	require.Empty(t, value, "a container that left set off an alarm")
}

// panels asks what every panel of every dashboard asks, but for those left out, until each has data.
func panels(t *testing.T, root string, prometheus v1.API, since time.Time, without ...string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "dashboards", "*", "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	total := 0
	for _, file := range files {
		skip := false
		for _, uid := range without {
			skip = skip || strings.TrimSuffix(filepath.Base(file), ".json") == uid
		}
		if skip {
			continue
		}
		var missing []string
		asked := 0
		for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(2 * time.Second) {
			asked, missing = ask(t, file, prometheus, since)
			if len(missing) == 0 || time.Now().After(deadline) {
				break
			}
		}
		for _, m := range missing {
			t.Errorf("no data: %s", m)
		}
		total += asked
	}
	t.Logf("%d dashboards, %d queries", len(files)-len(without), total)
}

func ask(t *testing.T, file string, prometheus v1.API, since time.Time) (asked int, missing []string) {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	d, err := dashboard.Load(file, data)
	require.NoError(t, err)
	now := time.Now()
	board, _, err := render.NewBoard(t.Context(), d, render.Options{Prometheus: prometheus, Start: since, End: now, Now: now, ScrapeInterval: 2 * time.Second})
	require.NoError(t, err)
	for _, section := range board.Sections() {
		for _, panel := range section.Panels {
			picture, err := board.Draw(t.Context(), panel.Key, render.DrawOptions{Width: 600, Height: 300})
			require.NoError(t, err)
			for _, q := range picture.Queries {
				asked++
				if q.Skip != "" || q.Points == 0 {
					missing = append(missing, fmt.Sprintf("%s, panel %q: %s %s", filepath.Base(file), panel.Title, q.Expr, q.Skip))
				}
			}
		}
	}
	return asked, missing
}

var mebibytes = regexp.MustCompile(`^([0-9.]+)([KMG])iB`)

// memory adds up what all containers of a stack use, in MiB.
func memory(t *testing.T, name string) (total float64) {
	t.Helper()
	ids, err := docker.Run(t.Context(), "ps", "--quiet", "--filter", "label="+stack.LabelEnvironment+"="+name)
	require.NoError(t, err)
	out, err := docker.Run(t.Context(), append([]string{"stats", "--no-stream", "--format", "{{.MemUsage}}"}, strings.Fields(ids)...)...)
	require.NoError(t, err)
	for line := range strings.Lines(out) {
		m := mebibytes.FindStringSubmatch(line)
		require.NotNil(t, m, line)
		n, err := strconv.ParseFloat(m[1], 64)
		require.NoError(t, err)
		total += n * map[string]float64{"K": 1.0 / 1024, "M": 1, "G": 1024}[m[2]]
	}
	return total
}

// clear removes what a failed test leaves.
func clear(t *testing.T, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	objects, err := docker.ListAll(ctx, "label="+stack.LabelEnvironment+"="+name)
	if err != nil {
		t.Error(err)
	}
	for _, o := range objects {
		if err := docker.Remove(ctx, o); err != nil {
			t.Error(err)
		}
	}
}

// must does what a person types in a folder.
func must(t *testing.T, dir, line string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
	defer cancel()
	start := time.Now()
	cmd := exec.CommandContext(ctx, "bash", "-c", line)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "ENV=local")
	out, err := cmd.CombinedOutput()
	t.Logf("%s (%s)", line, time.Since(start).Round(time.Second))
	require.NoError(t, err, string(out))
	return string(out)
}
