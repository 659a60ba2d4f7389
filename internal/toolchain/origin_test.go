package toolchain

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// store is an engine with some images, whose registry has others. What is in neither can't be pulled.
type store struct {
	mu       sync.Mutex
	held     map[string]bool
	registry map[string]bool
	pulls    []string
}

func (s *store) HasImage(_ context.Context, image string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held[image]
}

func (s *store) Pull(_ context.Context, image string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pulls = append(s.pulls, image)
	if !s.registry[image] {
		return errors.New("docker pull " + image + ": no such host")
	}
	if s.held == nil {
		s.held = map[string]bool{}
	}
	s.held[image] = true
	return nil
}

func images(names ...string) map[string]bool {
	set := map[string]bool{}
	for _, name := range names {
		set[name] = true
	}
	return set
}

const prometheus, alertmanager, grafana = "prom/prometheus:v3.16.0", "prom/alertmanager:v0.35.0", "grafana/grafana:13.2.3"

func TestWhereImagesComeFrom(t *testing.T) {
	for name, c := range map[string]struct {
		mode       string
		wanted     Wanted
		held, hub  map[string]bool
		prometheus Choice
		grafana    Source
		wrong      string
	}{
		"nothing can be had": {prometheus: Choice{From: Built, Why: "docker pull prom/prometheus:v3.16.0: no such host"}, grafana: Absent},
		"the registry has all": {hub: images(prometheus, alertmanager, grafana),
			prometheus: Choice{Image: prometheus, From: Pulled}, grafana: Pulled},
		"the registry has no Grafana": {hub: images(prometheus, alertmanager),
			prometheus: Choice{Image: prometheus, From: Pulled}, grafana: Absent},
		"the engine comes before the registry": {held: images(prometheus, grafana), hub: images(prometheus),
			prometheus: Choice{Image: prometheus, From: InEngine}, grafana: InEngine},
		"a registry of one's own": {wanted: Wanted{Registry: "r.example.com/x"}, hub: images("r.example.com/x/" + prometheus),
			prometheus: Choice{Image: "r.example.com/x/" + prometheus, From: Mirrored}, grafana: Absent},
		"the engine's registry comes before one's own": {wanted: Wanted{Registry: "r"}, hub: images("r/"+prometheus, prometheus),
			prometheus: Choice{Image: prometheus, From: Pulled}, grafana: Absent},
		"a named image comes first": {wanted: Wanted{Images: map[string]string{"prometheus": "mine:1"}}, held: images(prometheus), hub: images("mine:1"),
			prometheus: Choice{Image: "mine:1", From: Named}, grafana: Absent},
		"a named image that can't be pulled": {wanted: Wanted{Images: map[string]string{"prometheus": "mine:1"}}, held: images(prometheus),
			wrong: "PROMETHEUS_IMAGE=mine:1 can't be pulled: docker pull mine:1: no such host"},
		"modules pulls nothing": {mode: Modules, held: images(prometheus, grafana), hub: images(prometheus, alertmanager, grafana),
			prometheus: Choice{From: Built, Why: "ORIGIN=modules"}, grafana: InEngine},
		"registry builds no server": {mode: Registry, wrong: "ORIGIN=registry builds no server"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "origin.json")
			o, err := OpenOrigins(file, c.mode)
			require.NoError(t, err)
			s := &store{held: c.held, registry: c.hub}
			err = o.ChooseImages(t.Context(), c.wanted, s)
			if c.wrong != "" {
				require.ErrorContains(t, err, c.wrong)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.prometheus, o.Image("prometheus"))
			require.Equal(t, c.grafana, o.Image("grafana").From)
			require.Equal(t, Choice{From: Built}, o.Image("relay"), "our own programs are built")
			if c.mode == Modules {
				require.Empty(t, s.pulls)
			}
			require.NoError(t, o.Save())

			// The weather changes: what was chosen stays.
			kept, err := OpenOrigins(file, "")
			require.NoError(t, err)
			s.registry = images(prometheus, alertmanager, grafana, "mine:1")
			s.pulls = nil
			require.NoError(t, kept.ChooseImages(t.Context(), Wanted{}, s))
			require.Equal(t, o.Images, kept.Images)
			require.Empty(t, s.pulls)

			// Until someone chooses again.
			again, err := OpenOrigins(file, Auto)
			require.NoError(t, err)
			require.NoError(t, again.ChooseImages(t.Context(), Wanted{}, s))
			require.Equal(t, prometheus, again.Image("prometheus").Image)
		})
	}
	_, err := OpenOrigins(filepath.Join(t.TempDir(), "o"), "hub")
	require.EqualError(t, err, `ORIGIN="hub" is not a valid origin: use auto, registry or modules`)
}

func TestAKeptChoiceGivesWayWhereItMust(t *testing.T) {
	choose := func(t *testing.T, o *Origins, w Wanted, s *store) error {
		t.Helper()
		return o.ChooseImages(t.Context(), w, s)
	}
	with := func(role string, c Choice) *Origins {
		return &Origins{Mode: Auto, Images: map[string]Choice{role: c}, Providers: map[string]Choice{}}
	}
	t.Run("a Grafana that was loaded since is used", func(t *testing.T) {
		o := with("grafana", Choice{From: Absent, Why: "no such host"})
		require.NoError(t, choose(t, o, Wanted{}, &store{held: images(grafana)}))
		require.Equal(t, Choice{Image: grafana, From: InEngine}, o.Image("grafana"))
	})
	t.Run("a registry that is named now is asked", func(t *testing.T) {
		o := with("prometheus", Choice{From: Built, Why: "no such host"})
		require.NoError(t, choose(t, o, Wanted{Registry: "r"}, &store{registry: images("r/" + prometheus)}))
		require.Equal(t, Choice{Image: "r/" + prometheus, From: Mirrored}, o.Image("prometheus"))
		require.Equal(t, "r", o.Registry)
	})
	t.Run("an image of an older release is replaced", func(t *testing.T) {
		o := with("prometheus", Choice{Image: "prom/prometheus:v3.15.0", From: Pulled})
		s := &store{held: images("prom/prometheus:v3.15.0"), registry: images(prometheus)}
		require.NoError(t, choose(t, o, Wanted{}, s))
		require.Equal(t, Choice{Image: prometheus, From: Pulled}, o.Image("prometheus"))
	})
	t.Run("an image that was removed is pulled again", func(t *testing.T) {
		o := with("prometheus", Choice{Image: prometheus, From: Pulled})
		require.NoError(t, choose(t, o, Wanted{}, &store{registry: images(prometheus)}))
		require.Equal(t, Choice{Image: prometheus, From: Pulled}, o.Image("prometheus"))
	})
	t.Run("a named image that is gone is an error that names it", func(t *testing.T) {
		o := with("grafana", Choice{Image: "mine:1", From: Named})
		require.ErrorContains(t, choose(t, o, Wanted{}, &store{}), "GRAFANA_IMAGE=mine:1 can't be pulled")
	})
	t.Run("where GRAFANA_URL names one, none is run", func(t *testing.T) {
		o := with("grafana", Choice{Image: grafana, From: InEngine})
		require.NoError(t, choose(t, o, Wanted{NoGrafana: true}, &store{held: images(grafana)}))
		require.Equal(t, Absent, o.Image("grafana").From)
	})
	t.Run("a file of an earlier commit chooses again", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "origin.json")
		require.NoError(t, WriteFile(file, []byte(`{"images": "modules", "providers": "registry"}`), 0o644))
		o, err := OpenOrigins(file, "")
		require.NoError(t, err)
		require.Empty(t, o.Images)
	})
}

func TestWhatTheEnvironmentNames(t *testing.T) {
	w := WantedImages(func(name string) string {
		return map[string]string{"GRAFANA_IMAGE": "g:1", "IMAGE_REGISTRY": "r.example.com/x/"}[name]
	})
	require.Equal(t, Wanted{Images: map[string]string{"grafana": "g:1"}, Registry: "r.example.com/x"}, w)
	require.Equal(t, []string{"alertmanager", "console", "exporter", "grafana", "prometheus", "relay", "robot"}, Roles())
	for _, role := range Roles() {
		require.NotPanics(t, func() { new(Images).Set(role, "x") })
	}
}

func TestALockForBuiltProvidersIsNotTakenForPublishedOnes(t *testing.T) {
	mirror, root := t.TempDir(), t.TempDir()
	p := Providers[0]
	program := filepath.Join(mirror, "registry.terraform.io", p.Namespace, p.Type, p.Version, platform(), "program")
	require.NoError(t, WriteFile(program, []byte("v1"), 0o755))
	require.NoError(t, WriteLock(root, mirror, "registry.terraform.io", p))
	require.FileExists(t, filepath.Join(root, lockName))

	require.NoError(t, LayRegistryLock(root, filepath.Join(root, "none.hcl")))
	require.NoFileExists(t, filepath.Join(root, lockName), "its checksums match no published package")

	committed := filepath.Join(t.TempDir(), "platform.lock.hcl")
	require.NoError(t, WriteFile(committed, []byte("provider \"x\" {}\n"), 0o644))
	require.NoError(t, LayRegistryLock(root, committed))
	require.FileExists(t, filepath.Join(root, lockName))
}

func TestTheCauseInTerraformsWords(t *testing.T) {
	const text = `
Error: Failed to query available provider packages

Could not retrieve the list of available versions for provider
kreuzwerker/docker: could not connect to registry.terraform.io: failed to
request discovery document

To see which modules are currently depending on kreuzwerker/docker`
	require.Equal(t, "could not connect to registry.terraform.io: failed to request discovery document", terraformReason(text))
	require.Empty(t, terraformReason("killed"))
}

func TestTheCauseInTheEnginesWords(t *testing.T) {
	err := errors.New(`docker pull prom/prometheus:v3.16.0: Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io on 10.0.0.1:53: no such host`)
	require.Equal(t, "docker pull prom/prometheus:v3.16.0: lookup registry-1.docker.io on 10.0.0.1:53: no such host",
		shortReason(errors.Join(err, err)))
	require.Equal(t, "docker pull x:1: manifest unknown", shortReason(errors.New("docker pull x:1: manifest unknown")))
}
