package environment

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lookout/internal/toolchain"
)

// change is a plan as `terraform show -json` prints it.
const changes = `{"resource_changes":[
 {"address":"module.platform.docker_network.lookout","type":"docker_network","change":{"actions":["no-op"],"before":{"name":"n"},"after":{"name":"n"}}},
 {"address":"module.platform.module.relay.module.container.docker_container.container","type":"docker_container","change":{"actions":["delete","create"],
  "before":{"name":"lookout-prod-relay","memory":128,"must_run":true,"image":"a"},"after":{"name":"lookout-prod-relay","memory":256,"must_run":true,"image":"b"},"replace_paths":[["memory"]]}},
 {"address":"module.platform.module.relay.module.config.docker_container.check[0]","type":"docker_container","change":{"actions":["delete","create"],
  "before":{"name":"lookout-prod-relay-config-check","must_run":false},"after":{"name":"lookout-prod-relay-config-check","must_run":false},"replace_paths":[["upload"]]}},
 {"address":"module.content.grafana_contact_point.robot[\"ops\"]","type":"grafana_contact_point","change":{"actions":["update"],
  "before":{"name":"ops","dingding":[{"url":"https://secret-one"}],"token":"secret-two"},"after":{"name":"ops","dingding":[{"url":"https://secret-three"}],"token":"secret-four"},
  "before_sensitive":{"dingding":[{"url":true}],"token":true},"after_sensitive":{"dingding":[{"url":true}],"token":true}}},
 {"address":"grafana_dashboard.old","type":"grafana_dashboard","change":{"actions":["delete"],"before":{"uid":"service"},"after":null,"before_sensitive":false,"after_sensitive":false}},
 {"address":"docker_volume.new","type":"docker_volume","change":{"actions":["create"],"before":null,"after":{"name":"v"}}},
 {"address":"module.platform.terraform_data.free_port[\"relay\"]","type":"terraform_data","change":{"actions":["create"],"before":null,"after":{}}}
]}`

func TestAPlanIsToldInWordsWithItsAddresses(t *testing.T) {
	var plan Plan
	require.NoError(t, json.Unmarshal([]byte(changes), &plan))
	require.Equal(t, []string{
		"-/+ replace container lookout-prod-relay: memory 128 → 256 (module.platform.module.relay.module.container.docker_container.container)",
		"-/+ replace container lookout-prod-relay-config-check: upload (module.platform.module.relay.module.config.docker_container.check[0])",
		`~   change contact point ops: dingding (secret), token (secret) (module.content.grafana_contact_point.robot["ops"])`,
		"-   remove dashboard service (grafana_dashboard.old)",
		"+   create volume v (docker_volume.new)",
		"    and 1 step that Terraform takes for itself: ports tried, servers told to reload",
	}, plan.describe())
	require.Equal(t, []string{"container lookout-prod-relay (memory 128 → 256)"}, plan.replaced(), "what only checks is not mentioned")
}

func TestAnApplySaysWhereAndWhatBeforeItAsksAndWhatWasReplaced(t *testing.T) {
	e, out := newEnvironment(t)
	e.Name = "prod"
	t.Setenv("YES", "")
	calls := script(t, e, "case \"$1\" in plan) exit 2;; show) cat <<'X'\n"+changes+"\nX\n;; esac\n")
	e.In = strings.NewReader("yes\n")
	fits := func(t *testing.T) error {
		return e.applyRoot(t.Context(), "platform", func(context.Context, Plan) (bool, error) { return false, nil })
	}
	require.ErrorContains(t, fits(t), "nothing was changed")
	asked := strings.Index(out.String(), `Only "prod" goes on`)
	require.Greater(t, asked, strings.Index(out.String(), "-/+ replace container lookout-prod-relay: memory 128 → 256"), out.String())
	require.Contains(t, out.String(), "platform of prod, at the Docker Engine")
	require.NotContains(t, out.String(), "secret-")
	require.NotContains(t, strings.Join(calls(), "\n"), "apply")

	e.In = strings.NewReader("prod\n")
	require.NoError(t, fits(t))
	require.Contains(t, strings.Join(calls(), "\n"), "apply")
	require.Contains(t, out.String()[asked:], "replaced container lookout-prod-relay (memory 128 → 256)")
}

func TestACheckThatRefusedIsMadeAnew(t *testing.T) {
	e, _ := newEnvironment(t)
	write(t, filepath.Join(e.root("platform"), "terraform.tfstate"), `{"resources":[
		{"module":"module.platform.module.relay.module.config","type":"docker_container","name":"check","instances":[{"index_key":0,"attributes":{"exit_code":1}}]},
		{"module":"module.platform.module.prometheus.module.config","type":"docker_container","name":"check","instances":[{"index_key":0,"attributes":{"exit_code":0}}]},
		{"module":"module.platform.module.relay.module.container","type":"docker_container","name":"container","instances":[{"attributes":{"exit_code":137}}]}]}`)
	for _, root := range []string{"platform", "content"} {
		args, err := e.planArgs(t.Context(), root, "f")
		require.NoError(t, err)
		joined := strings.Join(args, " ")
		require.Contains(t, joined, "-lock-timeout=120s", "whoever holds the state's lock is waited for")
		require.Equal(t, root == "platform", strings.HasSuffix(joined, " -replace=module.platform.module.relay.module.config.docker_container.check[0]"), joined)
	}
}

func TestAPlanWaitsForARunThatIsAtWork(t *testing.T) {
	e, _ := newEnvironment(t)
	script(t, e, "")
	said := make(chan string, 8)
	e.Progress = &toolchain.Progress{Out: told(said)}
	release, err := e.exclusive(t.Context())
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- e.Plan(t.Context()) }()
	select {
	case err := <-ended:
		t.Fatalf("the plan did not wait: %v", err)
	case words := <-said:
		require.Contains(t, words, "another run is at work on local; waiting for it")
	}
	release()
	require.NoError(t, <-ended)
}

// told is a writer that hands on what it is given.
type told chan string

func (c told) Write(p []byte) (int, error) {
	c <- string(p)
	return len(p), nil
}

func TestImagesThatAPersonSetWin(t *testing.T) {
	c := newCareless(t)
	c.set("platform", `images = { prometheus = "registry.example.com/prometheus:v3" }`)
	write(t, c.e.varsPath("platform", "images"), `{"images":{"prometheus":"lookout/prometheus:1","relay":"lookout/relay:1"}}`)
	own, where, err := c.e.ownImages()
	require.NoError(t, err)
	require.Equal(t, map[string]string{"prometheus": "registry.example.com/prometheus:v3"}, own)
	require.Equal(t, "envs/staging/platform/terraform.tfvars:3", where)
	engine := &fakeEngine{images: []string{"registry.example.com/prometheus:v3"}}
	s := &setup{e: c.e}
	images := toolchain.Images{Prometheus: "lookout/prometheus:1", Relay: "lookout/relay:1"}
	require.NoError(t, s.ownImages(engine.use(t), &images))
	require.Equal(t, toolchain.Images{Prometheus: "registry.example.com/prometheus:v3", Relay: "lookout/relay:1"}, images)
	err = s.ownImages((&fakeEngine{}).use(t), &images)
	require.ErrorContains(t, err, `envs/staging/platform/terraform.tfvars:3: images.prometheus is "registry.example.com/prometheus:v3", which the engine does not have and can't pull`)
}

func TestDownGoesOnWithAGrafanaThatIsGone(t *testing.T) {
	c := newCareless(t)
	t.Setenv("GRAFANA_URL", "http://127.0.0.1:1")
	t.Setenv("GRAFANA_AUTH", "token")
	t.Setenv("YES", "1")
	c.remove(filepath.Join(c.e.root("platform"), "backend.hcl"))
	c.e.Client.Timeout = 0
	state := filepath.Join(c.e.root("content"), "terraform.tfstate")
	write(t, state, `{"resources":[{"type":"grafana_folder","name":"f","instances":[{"attributes":{"uid":"f"}}]}]}`)
	require.NoError(t, c.e.Down(c.ctx))
	require.NoFileExists(t, state)
	require.FileExists(t, state+".gone")
	out := c.e.Out.(*strings.Builder).String()
	require.Contains(t, out, "the content is not removed from Grafana: the Grafana of envs/staging/content does not answer")
	require.Contains(t, out, "no container, network or volume of this checkout's lookout-staging is left")
}

func TestDownAsksTheEngineThatTheEnvironmentNames(t *testing.T) {
	c := newCareless(t)
	relay := container("relay", "running", "healthy")
	relay["Config"].(map[string]any)["Labels"].(map[string]string)["lookout.environment"] = "lookout-staging"
	engine := &fakeEngine{containers: map[string]map[string]any{"relay-id": relay}}
	engine.use(t)
	c.remove(filepath.Join(c.e.root("platform"), "backend.hcl"))
	c.set("platform", `docker_host = "`+engine.address+`"`)
	write(t, filepath.Join(c.e.root("platform"), "terraform.tfstate"), `{"outputs":{"stack":{"value":{"id":"id-1","name":"lookout-staging"}}}}`)
	t.Setenv("YES", "1")
	ctx, err := c.e.WithEngine(t.Context())
	require.NoError(t, err)
	require.NoError(t, c.e.Down(ctx))
	require.Equal(t, []string{"relay-id"}, engine.removed)
	require.NoError(t, os.Remove(filepath.Join(c.e.root("platform"), "terraform.tfvars")))
	ctx, err = c.e.WithEngine(t.Context())
	require.NoError(t, err)
	require.Equal(t, t.Context(), ctx, "without docker_host it is DOCKER_HOST's")
}

func TestNativeDeliveryLeavesNoRelayBehind(t *testing.T) {
	c := newCareless(t)
	c.edit("envs/staging/platform/terraform.tfvars", "prometheus", "grafana")
	c.set("platform", way)
	c.e.local = true
	c.withGrafana()
	c.set("content", `delivery = "native"`)
	c.remove(filepath.Join(c.secrets, "relay/team.token"))
	require.NoError(t, c.e.handOnDelivery())
	var handed struct {
		Delivery string `json:"delivery"`
	}
	require.NoError(t, c.e.readVars("platform", "delivery", &handed))
	require.Equal(t, native, handed.Delivery)
	require.NoFileExists(t, c.e.varsPath("content", "delivery"))
	require.NoError(t, c.e.preflight(c.ctx), "a relay that is not there needs no secrets")
	c.set("platform", `delivery = "relay"`)
	require.ErrorContains(t, c.e.handOnDelivery(), `delivery is "relay" in envs/staging/platform but "native" in envs/staging/content`)
	require.NoError(t, os.Remove(filepath.Join(c.e.root("platform"), "terraform.tfvars")))
	require.NoError(t, os.Remove(filepath.Join(c.e.root("content"), "terraform.tfvars")))
	require.NoError(t, c.e.handOnDelivery())
	require.NoFileExists(t, c.e.varsPath("platform", "delivery"), "what nobody says any more does not stay")
}

func TestASpoolThatHoldsSomethingIsNotRemoved(t *testing.T) {
	var plan Plan
	require.NoError(t, json.Unmarshal([]byte(`{"resource_changes":[{"address":"v","type":"docker_volume","change":{"actions":["delete"],"before":{"name":"lookout-fake-relay-spool"},"after":null}}]}`), &plan))
	e, _ := fakeStack(t, pages(t, wellTargets, strings.Replace(wellMetrics, `queue_notifications{target="ops"} 0`, `queue_notifications{target="ops"} 2`, 1)))
	problems, err := e.platformProblems((&fakeEngine{}).use(t), plan)
	require.NoError(t, err)
	require.Len(t, problems, 1)
	require.Contains(t, problems[0], "2 deliveries and 0 dead letters wait in the volume lookout-fake-relay-spool")
	e, _ = fakeStack(t, pages(t, wellTargets, wellMetrics))
	problems, err = e.platformProblems((&fakeEngine{}).use(t), plan)
	require.NoError(t, err)
	require.Empty(t, problems)
}
