package environment

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lookout/internal/docker"
	"lookout/internal/stack"
)

// A fakeEngine answers what the Docker client asks for containers, over HTTP as the engine does.
type fakeEngine struct {
	// containers are Docker's own answers, by id.
	containers map[string]map[string]any
	logs       string
	// images are those that it has.
	images []string
	// address is where it listens, removed the containers that were.
	address string
	removed []string
}

// container is a running, healthy one of the stack "lookout-fake".
func container(service, state, health string) map[string]any {
	s := map[string]any{"Status": state}
	if health != "" {
		s["Health"] = map[string]any{"Status": health}
	}
	return map[string]any{"Id": service + "-id", "Name": "/lookout-fake-" + service, "Created": "2026-01-02T03:04:05Z", "State": s,
		"Config":          map[string]any{"Image": "lookout/" + service, "Labels": map[string]string{"lookout.stack": "id-1", "lookout.environment": "lookout-fake", "lookout.service": service}},
		"NetworkSettings": map[string]any{}}
}

// use starts the engine and returns a context whose Docker client asks it.
func (f *fakeEngine) use(t *testing.T) context.Context {
	t.Helper()
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		require.NoError(t, json.NewEncoder(w).Encode(v))
	}
	mux.HandleFunc("/_ping", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Api-Version", "1.41")
		fmt.Fprint(w, "OK")
	})
	mux.HandleFunc("/v1.41/version", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"Version": "20.10.24", "ApiVersion": "1.41"})
	})
	mux.HandleFunc("GET /v1.41/containers/json", func(w http.ResponseWriter, r *http.Request) {
		list := []map[string]any{}
		for id := range f.containers {
			list = append(list, map[string]any{"Id": id})
		}
		answer(w, list)
	})
	mux.HandleFunc("GET /v1.41/containers/{id}/json", func(w http.ResponseWriter, r *http.Request) {
		if c, ok := f.containers[r.PathValue("id")]; ok {
			answer(w, c)
			return
		}
		w.WriteHeader(http.StatusNotFound)
		answer(w, map[string]any{"message": "No such container"})
	})
	mux.HandleFunc("GET /v1.41/containers/{id}/logs", func(w http.ResponseWriter, r *http.Request) {
		text := fmt.Sprintf("%s of %s, tail %s\n", f.logs, r.PathValue("id"), r.URL.Query().Get("tail"))
		w.Header().Set("Content-Type", "application/vnd.docker.raw-stream")
		// A frame of the multiplexed stream: stdout, and its length.
		w.Write(append([]byte{1, 0, 0, 0, 0, 0, 0, byte(len(text))}, text...))
	})
	mux.HandleFunc("DELETE /v1.41/containers/{id}", func(w http.ResponseWriter, r *http.Request) {
		f.removed = append(f.removed, r.PathValue("id"))
		delete(f.containers, r.PathValue("id"))
	})
	mux.HandleFunc("/v1.41/networks", func(w http.ResponseWriter, _ *http.Request) { answer(w, []any{}) })
	mux.HandleFunc("/v1.41/volumes", func(w http.ResponseWriter, _ *http.Request) { answer(w, map[string]any{"Volumes": []any{}}) })
	mux.HandleFunc("GET /v1.41/images/json", func(w http.ResponseWriter, _ *http.Request) {
		list := []map[string]any{}
		for _, name := range f.images {
			list = append(list, map[string]any{"Id": "sha256:1234567890123456", "RepoTags": []string{name}})
		}
		answer(w, list)
	})
	mux.HandleFunc("DELETE /v1.41/images/{name...}", func(w http.ResponseWriter, r *http.Request) {
		f.removed = append(f.removed, r.PathValue("name"))
		answer(w, []any{})
	})
	mux.HandleFunc("GET /v1.41/images/{name...}", func(w http.ResponseWriter, r *http.Request) {
		if slices.Contains(f.images, strings.TrimSuffix(r.PathValue("name"), "/json")) {
			answer(w, map[string]any{"Id": "sha256:1"})
			return
		}
		w.WriteHeader(http.StatusNotFound)
		answer(w, map[string]any{"message": "No such image"})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	f.address = "tcp://" + server.Listener.Addr().String()
	return docker.WithHost(t.Context(), f.address)
}

// pages answers as Prometheus and the relay do.
func pages(t *testing.T, targets, metrics string) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/api/v1/targets", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, targets) })
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, metrics) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

const (
	wellTargets = `{"data":{"activeTargets":[{"labels":{"job":"relay","instance":"relay1"},"health":"up"},{"labels":{"job":"go","instance":"go1"},"health":"up"}]}}`
	wellMetrics = "# HELP relay_x x\nrelay_queue_notifications{target=\"ops\"} 0\nrelay_outbox_messages{target=\"ops\"} 0\nrelay_dead_letters_waiting 0\n" +
		"relay_oldest_undelivered_age_seconds{target=\"ops\"} 0\nrelay_heartbeat_age_seconds{heartbeat=\"chain\"} 4.5\nrelay_heartbeat_missing{heartbeat=\"chain\"} 0\n"
)

// fakeStack is an environment whose state names Prometheus and the relay.
func fakeStack(t *testing.T, url string) (*Environment, *bytes.Buffer) {
	t.Helper()
	e, out := newEnvironment(t)
	e.Client = http.DefaultClient
	write(t, filepath.Join(e.root("platform"), "terraform.tfstate"), fmt.Sprintf(`{"outputs":{"stack":{"value":{"id":"id-1","name":"lookout-fake","alerting":"prometheus"}},
		"services":{"value":{"prometheus":{"container_name":"lookout-fake-prometheus","url":%[1]q},"relay":{"container_name":"lookout-fake-relay","url":%[1]q}}}}}`, url))
	return e, out
}

func TestUpIsSaidOnlyWhenItIs(t *testing.T) {
	well := func() map[string]map[string]any {
		return map[string]map[string]any{"prometheus-id": container("prometheus", "running", "healthy"), "relay-id": container("relay", "running", "healthy")}
	}
	for name, c := range map[string]struct {
		containers       map[string]map[string]any
		targets, metrics string
		edit             func(*Environment)
		// want is the problem; "" if there is none.
		want string
	}{
		"well": {containers: well()},
		"a container that is gone": {
			containers: map[string]map[string]any{"prometheus-id": well()["prometheus-id"]},
			want:       "the container lookout-fake-relay is missing: `make apply ENV=local` brings it back"},
		"a container that ended": {
			containers: map[string]map[string]any{"prometheus-id": well()["prometheus-id"], "relay-id": container("relay", "exited", "unhealthy")},
			want:       "relay is exited: `make apply ENV=local` brings it back, `make logs ENV=local SERVICE=relay` shows why it ended"},
		"a container that is unhealthy": {
			containers: map[string]map[string]any{"prometheus-id": container("prometheus", "running", "unhealthy"), "relay-id": well()["relay-id"]},
			want:       "prometheus is unhealthy: `make logs ENV=local SERVICE=prometheus` shows why"},
		"another stack's container": {
			containers: func() map[string]map[string]any {
				all := well()
				all["relay-id"]["Config"].(map[string]any)["Labels"].(map[string]string)["lookout.stack"] = "another"
				return all
			}(),
			want: "the container lookout-fake-relay is missing"},
		"a target that is down": {
			containers: well(), targets: `{"data":{"activeTargets":[{"labels":{"job":"shop","instance":"shop1"},"health":"down","lastError":"connection refused"}]}}`,
			want: "a target does not answer: shop/shop1: connection refused"},
		"nothing is scraped":          {containers: well(), targets: `{"data":{"activeTargets":[]}}`, want: "Prometheus scrapes nothing"},
		"not Prometheus":              {containers: well(), targets: `<html>`, want: "Prometheus does not say what it scrapes"},
		"not the relay":               {containers: well(), metrics: `<html>`, want: "the relay does not say what it delivers"},
		"a heartbeat that is overdue": {containers: well(), metrics: strings.Replace(wellMetrics, `missing{heartbeat="chain"} 0`, `missing{heartbeat="chain"} 1`, 1), want: "the heartbeat chain is overdue"},
		"dead letters":                {containers: well(), metrics: strings.Replace(wellMetrics, "letters_waiting 0", "letters_waiting 3", 1), want: "3 messages were accepted by no channel"},
		"deliveries that wait for long": {
			containers: well(), metrics: strings.NewReplacer(`queue_notifications{target="ops"} 0`, `queue_notifications{target="ops"} 7`, `age_seconds{target="ops"} 0`, `age_seconds{target="ops"} 900`).Replace(wellMetrics),
			want: "7 deliveries wait, the oldest for 15m0s"},
		"an interrupted apply": {
			containers: well(), edit: func(e *Environment) { write(t, e.cache("apply", "local"), "x") },
			want: "the last apply did not come to its end: `make apply ENV=local` goes on from there"},
		"nothing was ever applied": {
			edit: func(e *Environment) { write(t, filepath.Join(e.root("platform"), "terraform.tfstate"), "{}") },
			want: "nothing of it runs: `make up ENV=local` brings it up"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.targets == "" {
				c.targets = wellTargets
			}
			if c.metrics == "" {
				c.metrics = wellMetrics
			}
			e, out := fakeStack(t, pages(t, c.targets, c.metrics))
			if c.edit != nil {
				c.edit(e)
			}
			up, err := e.PrintStatus((&fakeEngine{containers: c.containers}).use(t), false)
			require.NoError(t, err)
			require.Equal(t, c.want == "", up)
			require.Equal(t, c.want == "", strings.Contains(out.String(), "is up."), out.String())
			require.Contains(t, out.String(), c.want)
		})
	}
}

func TestAStatusAsJSONHasEverything(t *testing.T) {
	e, out := fakeStack(t, pages(t, wellTargets, wellMetrics))
	calls := script(t, e, `case "$1" in plan) exit 2;; show) echo '{"resource_changes":[{"change":{"actions":["delete","create"]}}]}';; esac`+"\n")
	done, err := e.begin()
	require.NoError(t, err)
	require.NoError(t, done())
	up, err := e.PrintStatus((&fakeEngine{containers: map[string]map[string]any{"prometheus-id": container("prometheus", "running", "healthy"), "relay-id": container("relay", "running", "")}}).use(t), true)
	require.NoError(t, err)
	require.True(t, up)
	var got Status
	require.NoError(t, json.Unmarshal(out.Bytes(), &got))
	require.WithinDuration(t, time.Now(), *got.LastApply, time.Minute)
	got.LastApply = nil
	for i := range got.Services {
		got.Services[i].URL, got.Services[i].About = "", ""
	}
	require.Equal(t, Status{Environment: "local", Stack: "lookout-fake", Engine: "prometheus", Up: true, Problems: []string{},
		Services: []ServiceStatus{{Name: "prometheus", Container: "lookout-fake-prometheus", State: "running", Health: "healthy"}, {Name: "relay", Container: "lookout-fake-relay", State: "running"}},
		Targets:  &TargetStatus{Up: 2, Total: 2},
		Delivery: &DeliveryStatus{HeartbeatSeconds: map[string]float64{"chain": 4.5}},
		Drift:    map[string]string{"platform": "1 to add, 0 to change, 1 to destroy"}}, got)
	require.Contains(t, calls()[0], "-lock=false", "a status must not hold up an apply")
}

func TestAnEngineThatDoesNotAnswerIsAProblemAndNotACrash(t *testing.T) {
	e, out := fakeStack(t, "http://127.0.0.1:1")
	up, err := e.PrintStatus(docker.WithHost(t.Context(), "tcp://127.0.0.1:1"), false)
	require.NoError(t, err)
	require.False(t, up)
	require.Contains(t, out.String(), "the Docker Engine does not answer")
}

func TestLogsAreOfOneServiceOrOfAllWithTheirNames(t *testing.T) {
	e, out := fakeStack(t, "http://127.0.0.1:1")
	engine := &fakeEngine{logs: "the log", containers: map[string]map[string]any{"prometheus-id": container("prometheus", "running", ""), "relay-id": container("relay", "exited", ""),
		"check-id": container("relay-config-check", "exited", "")}}
	ctx := engine.use(t)
	require.NoError(t, e.Logs(ctx, "relay", 7, false))
	require.Equal(t, "the log of relay-id, tail 7\n", out.String())
	out.Reset()
	require.NoError(t, e.Logs(ctx, "", 0, false))
	require.Equal(t, "prometheus   | the log of prometheus-id, tail all\nrelay        | the log of relay-id, tail all\n", out.String())
	require.EqualError(t, e.Logs(ctx, "rely", 1, false), "SERVICE=rely has no container in local: choose one of prometheus, relay")
	require.ErrorContains(t, e.Logs((&fakeEngine{}).use(t), "", 1, false), "`make up ENV=local` brings it up")
}

func TestADoctorSaysTheRemedyOfWhatPeopleMeet(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, c := range map[string]struct {
		ill func(*Doctor)
		// want is the remedy of the one finding that has one; "" if nothing is wrong.
		want string
		hint bool
	}{
		"nothing is wrong": {},
		"no engine": {func(d *Doctor) {
			d.engine = func(context.Context) (string, string, time.Time, error) {
				return "", "", time.Time{}, errors.New("Cannot connect to the Docker daemon")
			}
		}, "start it (sudo systemctl start docker)", false},
		"no right to the engine": {func(d *Doctor) {
			d.engine = func(context.Context) (string, string, time.Time, error) {
				return "", "", time.Time{}, errors.New("permission denied while trying to connect")
			}
		}, "add yourself to the group docker", false},
		"an old engine": {func(d *Doctor) {
			d.engine = func(context.Context) (string, string, time.Time, error) { return "19.03.1", "/", now, nil }
		}, "install Docker Engine 20.10 or newer", false},
		"a port that is taken": {func(d *Doctor) {
			d.listen = func(address string) error {
				if strings.HasSuffix(address, ":9090") {
					return errors.New("in use")
				}
				return nil
			}
		}, "stop what listens there (ss -ltnp), give ports in envs/local/platform", false},
		"a full disk": {func(d *Doctor) { d.space = func(string) (uint64, error) { return 1 << 30, nil } }, "free 5 GiB", false},
		"a wrong clock": {func(d *Doctor) {
			d.ask = func(context.Context, string) (time.Time, error) { return now.Add(time.Hour), nil }
		}, "set the clock", false},
		"an engine with a wrong clock": {func(d *Doctor) {
			d.engine = func(context.Context) (string, string, time.Time, error) { return "28.0.1", "", now.Add(time.Hour), nil }
		}, "this one is the engine's", false},
		"no names": {func(d *Doctor) {
			d.lookup = func(context.Context, string) error { return errors.New("no such host") }
		}, "correct /etc/resolv.conf", true},
		"a proxy that does not answer": {func(d *Doctor) {
			d.ask = func(context.Context, string) (time.Time, error) { return now, errors.New("timeout") }
		}, "go env -w GOPROXY=https://goproxy.cn,direct", true},
		"an old Go": {func(d *Doctor) {
			before := d.tool
			d.tool = func(ctx context.Context, name string, args ...string) (string, error) {
				if args[0] == "version" {
					return "go version go1.20.3 linux/amd64", nil
				}
				return before(ctx, name, args...)
			}
		}, "install Go 1.26 or newer", false},
		"no git": {func(d *Doctor) {
			before := d.tool
			d.tool = func(ctx context.Context, name string, args ...string) (string, error) {
				if name == "git" {
					return "", errors.New("executable file not found in $PATH")
				}
				return before(ctx, name, args...)
			}
		}, "install git", false},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := newEnvironment(t)
			write(t, filepath.Join(e.Repo, "go.mod"), "module x\n\ngo 1.26.0\n")
			write(t, filepath.Join(e.root("platform"), "variables.tf"), "    prometheus   = optional(number, 9090)\n    relay = optional(number, 8070)\n")
			script(t, e, "")
			d := &Doctor{e: e, env: func(string) string { return "" }, host: func(context.Context) string { return "" }, now: func() time.Time { return now },
				engine: func(context.Context) (string, string, time.Time, error) { return "28.0.1", "", now, nil },
				listen: func(string) error { return nil },
				space:  func(string) (uint64, error) { return 100 << 30, nil },
				lookup: func(context.Context, string) error { return nil },
				ask:    func(context.Context, string) (time.Time, error) { return now, nil },
				tool: func(_ context.Context, name string, args ...string) (string, error) {
					if name == "go" && args[0] == "env" {
						return "https://proxy.example.com,direct", nil
					}
					return "go version go1.26.8 linux/amd64", nil
				}}
			if c.ill != nil {
				c.ill(d)
			}
			findings, err := d.Examine((&fakeEngine{}).use(t))
			require.NoError(t, err)
			require.Greater(t, len(findings), 7)
			var remedies []string
			for _, f := range findings {
				if f.Remedy != "" {
					require.Equal(t, c.hint, f.Hint, f.Found)
					remedies = append(remedies, f.Remedy)
				}
			}
			if c.want == "" {
				require.Empty(t, remedies)
				return
			}
			require.Len(t, remedies, 1)
			require.Contains(t, remedies[0], c.want)
		})
	}
}

func TestAnotherMachinesLoopbackIsNotAsked(t *testing.T) {
	for _, c := range []struct {
		engine, address string
		want            bool
	}{
		{"", "http://127.0.0.1:9090", false},
		{"unix:///var/run/docker.sock", "http://127.0.0.1:9090", false},
		{"ssh://ops@monitoring.example.com", "http://127.0.0.1:9090", true},
		{"ssh://ops@monitoring.example.com", "http://[::1]:9090", true},
		{"tcp://10.0.0.7:2376", "http://localhost:9090", true},
		{"ssh://ops@monitoring.example.com", "http://10.0.0.7:9090", false},
	} {
		require.Equal(t, c.want, elsewhere(docker.WithHost(t.Context(), c.engine), c.address), "%s at %s", c.address, c.engine)
	}
	// Its ports are not this machine's: one that is taken here is free there.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	var plan Plan
	require.NoError(t, json.Unmarshal([]byte(`{"resource_changes":[{"type":"docker_container","change":{"actions":["create"],"after":{"name":"x-relay",
		"ports":[{"external":`+port+`,"ip":"127.0.0.1","protocol":"tcp"}]}}}]}`), &plan))
	e, _ := newEnvironment(t)
	require.Len(t, e.takenPorts(docker.WithHost(t.Context(), ""), plan.ResourceChanges[0], nil, stack.Ownership{}), 1)
	require.Empty(t, e.takenPorts(docker.WithHost(t.Context(), "ssh://ops@host"), plan.ResourceChanges[0], nil, stack.Ownership{}))
	held := map[string]docker.Object{"a": {Kind: docker.Container, Name: "theirs", Ports: []string{port}}}
	require.Len(t, e.takenPorts(docker.WithHost(t.Context(), "ssh://ops@host"), plan.ResourceChanges[0], held, stack.Ownership{}), 1)
}
