package second

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lookout/internal/docker"
)

// moves backs a running stack up, removes it, and restores it from another checkout, as one does on another machine: every sample,
// silence and delivery has to be there again, and nobody may hear of it.
func moves(t *testing.T, from, to, name string) {
	before := stackAt(t, from)
	before.silence(t)
	before.alert(t)
	require.Eventually(t, func() bool { return len(before.sent(t)) > 0 && before.inSilences(t) != "[]" }, time.Minute, 200*time.Millisecond)
	at := time.Now()
	want := before.samples(t, at)
	require.NotEqual(t, "[]", want)
	silences, sent := before.inSilences(t), before.sent(t)

	file := filepath.Join(t.TempDir(), "backup.tar.gz")
	start := time.Now()
	require.Contains(t, must(t, from, "make backup FILE="+file), "prometheus: by snapshot")
	t.Logf("backup: %.1f s", time.Since(start).Seconds())
	require.Empty(t, snapshots(t, name), "no snapshot is left in the volume")
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "it holds secrets")
	out, err := run(t, from, "make backup FILE="+file)
	require.Error(t, err)
	require.Contains(t, out, "exists already")

	// What is there is not replaced, by whichever checkout.
	for _, dir := range []string{from, to} {
		out, err = run(t, dir, "make restore FILE="+file)
		require.Error(t, err)
		require.Contains(t, out, "nothing was changed")
	}
	must(t, from, "make down")
	require.Empty(t, left(t, name))
	half := file + ".half"
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(half, data[:len(data)/2], 0o600))
	out, err = run(t, to, "make restore FILE="+half)
	require.Error(t, err)
	require.Contains(t, out, "not a complete backup")
	require.Empty(t, left(t, name), "nothing was changed")

	start = time.Now()
	out = must(t, to, "make restore FILE="+file)
	t.Logf("restore: %.1f s", time.Since(start).Seconds())
	require.Contains(t, out, "is kept as name.auto.tfvars.json.")
	after := stackAt(t, to)
	require.Equal(t, want, after.samples(t, at), "every sample")
	require.Equal(t, silences, after.inSilences(t))
	require.Equal(t, sent, after.sent(t)[:len(sent)], "what the relay has sent")
	// Alertmanager has come to know again what fires, and knows that it was sent.
	require.Eventually(t, func() bool { return strings.Contains(after.get(t, "alertmanager", "/api/v2/alerts"), "Watchdog") }, time.Minute, 200*time.Millisecond)
	upgrades(t, to, name)
	require.JSONEq(t, `{"messages":[]}`, after.get(t, "robot", "/api/messages"), "nobody heard of any of it")
	require.Contains(t, must(t, to, "make up"), "no changes")
}

// upgrades gives the servers other images, as an upgrade does, and the old ones again. One whose checks fail leaves everything as it
// is, and up has no gap that is longer than the restart.
func upgrades(t *testing.T, dir, name string) {
	old := images(t, dir)
	roles := []string{"alertmanager", "prometheus"}
	var bad, good, back []string
	for _, role := range roles {
		variable := strings.ToUpper(role) + "_IMAGE="
		other, broken := "lookout/"+role+":"+name, "lookout/"+role+":"+name+"-broken"
		build(t, other, "FROM "+old[role]+"\nLABEL lookout.test="+name+"\n")
		// What checks a configuration is not there in it.
		build(t, broken, "FROM "+old[role]+"\nCOPY Dockerfile /bin/"+map[string]string{"alertmanager": "amtool", "prometheus": "promtool"}[role]+"\n")
		good, bad, back = append(good, variable+other), append(bad, variable+broken), append(back, variable+old[role])
	}
	before := running(t, name)
	out, err := run(t, dir, strings.Join(bad, " ")+" make up")
	require.Error(t, err, out)
	require.Equal(t, before, running(t, name), "all that ran goes on")
	for i, step := range [][]string{good, back} {
		began := time.Now()
		must(t, dir, strings.Join(step, " ")+" make up")
		now := running(t, name)
		for _, service := range []string{"alertmanager", "console", "exporter", "prometheus", "relay", "robot"} {
			full := name + "-" + service
			require.Equal(t, slices.Contains(roles, service), before[full] != now[full], "%s in step %d", full, i+1)
		}
		before = now
		gap, restart := stackAt(t, dir).gap(t, name, began)
		t.Logf("step %d: %.1f s without a sample, while Prometheus was away for %.1f s", i+1, gap.Seconds(), restart.Seconds())
		// It scrapes every two seconds: the last sample before the restart is up to that far from it. A Prometheus that has started takes
		// five seconds to hand its targets to the scrapers, and up to two more until their turn.
		require.LessOrEqual(t, gap, restart+9*time.Second)
	}
}

func images(t *testing.T, dir string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "envs/local/platform/images.auto.tfvars.json"))
	require.NoError(t, err)
	var vars struct{ Images map[string]string }
	require.NoError(t, json.Unmarshal(data, &vars))
	return vars.Images
}

// build makes an image that goes when the test ends.
func build(t *testing.T, image, dockerfile string) {
	t.Helper()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	require.NoError(t, w.WriteHeader(&tar.Header{Name: "Dockerfile", Mode: 0o755, Size: int64(len(dockerfile))}))
	_, err := w.Write([]byte(dockerfile))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, docker.Build(t.Context(), image, nil, &archive))
	t.Cleanup(func() {
		// The stack that runs it goes later.
		_, _ = docker.Run(context.WithoutCancel(t.Context()), "image", "rm", "--force", image)
	})
}

// gap is the longest time without a sample of the sample service since a moment, and how long Prometheus was away.
func (s services) gap(t *testing.T, name string, since time.Time) (gap, restart time.Duration) {
	t.Helper()
	var died, healthy time.Time
	out, err := docker.Run(t.Context(), "events", "--since="+fmt.Sprint(since.Unix()), "--until="+fmt.Sprint(time.Now().Unix()+1), "--filter=label=lookout.service=prometheus",
		"--format={{.TimeNano}} {{.Actor.Attributes.name}} {{.Action}}")
	require.NoError(t, err)
	for line := range strings.Lines(out) {
		fields := strings.SplitN(strings.TrimSpace(line), " ", 3)
		if len(fields) < 3 || fields[1] != name+"-prometheus" {
			continue
		}
		nano, err := strconv.ParseInt(fields[0], 10, 64)
		require.NoError(t, err)
		switch {
		case strings.HasPrefix(fields[2], "kill"):
			died = time.Unix(0, nano)
		case strings.HasSuffix(fields[2], ": healthy") && healthy.IsZero() && !died.IsZero():
			healthy = time.Unix(0, nano)
		}
	}
	require.False(t, died.IsZero() || healthy.IsZero(), out)
	require.Eventually(t, func() bool {
		var answer struct {
			Data struct{ Result []struct{ Values [][2]any } }
		}
		query := url.Values{"query": {fmt.Sprintf(`up{job="go"}[%ds]`, int(time.Since(since).Seconds())+10)}}
		require.NoError(t, json.Unmarshal([]byte(s.get(t, "prometheus", "/api/v1/query?"+query.Encode())), &answer))
		var last float64
		after := false
		gap = 0
		for _, series := range answer.Data.Result {
			for _, v := range series.Values {
				at := v[0].(float64)
				if last > 0 {
					gap = max(gap, time.Duration((at-last)*float64(time.Second)))
				}
				last = at
				after = after || at > float64(healthy.UnixMilli())/1000
			}
		}
		return after
	}, time.Minute, 200*time.Millisecond, "the new Prometheus scrapes")
	return gap, healthy.Sub(died)
}

// services are the addresses of a checkout's stack.
type services map[string]string

func stackAt(t *testing.T, dir string) services {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "envs/local/platform/terraform.tfstate"))
	require.NoError(t, err)
	var state struct {
		Outputs struct {
			Services struct {
				Value map[string]struct{ URL string }
			}
		}
	}
	require.NoError(t, json.Unmarshal(data, &state))
	all := services{}
	for name, s := range state.Outputs.Services.Value {
		all[name] = s.URL
	}
	return all
}

func (s services) do(t *testing.T, method, service, path, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s[service]+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Less(t, resp.StatusCode, 300, string(data))
	return string(data)
}

func (s services) get(t *testing.T, service, path string) string {
	t.Helper()
	return s.do(t, http.MethodGet, service, path, "")
}

func (s services) silence(t *testing.T) {
	t.Helper()
	s.do(t, http.MethodPost, "alertmanager", "/api/v2/silences", fmt.Sprintf(`{"matchers": [{"name": "alertname", "value": "GoThreadsHigh", "isRegex": false}],
		"startsAt": %q, "endsAt": %q, "createdBy": "test", "comment": "it moves"}`, time.Now().Format(time.RFC3339), time.Now().Add(2*time.Hour).Format(time.RFC3339)))
}

// alert has Alertmanager send one.
func (s services) alert(t *testing.T) {
	t.Helper()
	s.do(t, http.MethodPost, "alertmanager", "/api/v2/alerts", `[{"labels": {"alertname": "Moving", "severity": "warning", "team": "ops"}, "annotations": {"summary": "【报警】 moving"}}]`)
}

// inSilences are all silences, by id.
func (s services) inSilences(t *testing.T) string {
	t.Helper()
	var all []map[string]any
	require.NoError(t, json.Unmarshal([]byte(s.get(t, "alertmanager", "/api/v2/silences")), &all))
	slices.SortFunc(all, func(a, b map[string]any) int { return strings.Compare(a["id"].(string), b["id"].(string)) })
	text, err := json.Marshal(all)
	require.NoError(t, err)
	return string(text)
}

// samples are all that Prometheus scraped in the ten minutes before a moment, by series.
func (s services) samples(t *testing.T, at time.Time) string {
	t.Helper()
	var answer struct {
		Data struct{ Result []json.RawMessage }
	}
	query := url.Values{"query": {`{__name__=~".+"}[10m]`}, "time": {fmt.Sprintf("%.3f", float64(at.UnixMilli())/1000)}}
	require.NoError(t, json.Unmarshal([]byte(s.get(t, "prometheus", "/api/v1/query?"+query.Encode())), &answer))
	slices.SortFunc(answer.Data.Result, func(a, b json.RawMessage) int { return bytes.Compare(a, b) })
	text, err := json.Marshal(answer.Data.Result)
	require.NoError(t, err)
	t.Logf("%d series, %d bytes", len(answer.Data.Result), len(text))
	return string(text)
}

// sent is what the relay sent, oldest first.
func (s services) sent(t *testing.T) []any {
	t.Helper()
	var answer struct{ Sent []any }
	require.NoError(t, json.Unmarshal([]byte(s.get(t, "relay", "/api/sent")), &answer))
	slices.Reverse(answer.Sent)
	return answer.Sent
}

// snapshots are the folders that are left of snapshots.
func snapshots(t *testing.T, name string) (all []string) {
	t.Helper()
	err := docker.ReadFolder(t.Context(), name+"-prometheus", "/prometheus/snapshots", func(r io.Reader) error {
		in := tar.NewReader(r)
		for {
			h, err := in.Next()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if h.Name != "snapshots/" {
				all = append(all, h.Name)
			}
		}
	})
	require.NoError(t, err)
	return all
}
