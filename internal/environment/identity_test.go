package environment

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lookout/internal/docker"
	"lookout/internal/stack"
)

// engine is what tests here put into the Docker Engine: objects that look like those of stacks, of names of their own.
type engine struct {
	image string
	label string
}

func newEngine(t *testing.T) *engine {
	t.Helper()
	e := &engine{image: testImage, label: "lookout.test=" + strings.ToLower(rand.Text()[:8])}
	t.Cleanup(func() {
		left, err := docker.ListAll(context.Background(), "label="+e.label)
		require.NoError(t, err)
		for _, o := range left {
			require.NoError(t, docker.Remove(context.Background(), o))
		}
	})
	return e
}

// testImage is as little as a container can be created from.
var testImage = "lookout/env-test:" + strings.ToLower(rand.Text()[:8])

func buildTestImage(ctx context.Context) error {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	file := "FROM scratch\nCOPY Dockerfile /\nCMD [\"/none\"]\n"
	err := w.WriteHeader(&tar.Header{Name: "Dockerfile", Mode: 0o644, Size: int64(len(file))})
	if err == nil {
		_, err = w.Write([]byte(file))
	}
	if err := errors.Join(err, w.Close()); err != nil {
		return err
	}
	return docker.Build(ctx, testImage, nil, &archive)
}

// stack creates a container, a network and a volume as a platform would. An id of "" leaves the label out.
func (e *engine) stack(t *testing.T, name, id string) map[docker.Kind]docker.Object {
	t.Helper()
	labels := []string{"--label", e.label, "--label", stack.LabelEnvironment + "=" + name}
	if id != "" {
		labels = append(labels, "--label", stack.LabelStack+"="+id)
	}
	made := map[docker.Kind]docker.Object{}
	for kind, args := range map[docker.Kind][]string{
		docker.Container: {"--name", name + "-relay", e.image},
		docker.Network:   {name},
		docker.Volume:    {name + "-relay-spool"},
	} {
		id, err := docker.Run(t.Context(), append(append([]string{string(kind), "create"}, labels...), args...)...)
		require.NoError(t, err)
		found, err := docker.Inspect(t.Context(), kind, id)
		require.NoError(t, err)
		require.Len(t, found, 1)
		made[kind] = found[0]
	}
	return made
}

// left are the names of what is still there.
func (e *engine) left(t *testing.T) []string {
	t.Helper()
	all, err := docker.ListAll(t.Context(), "label="+e.label)
	require.NoError(t, err)
	names := []string{}
	for _, o := range all {
		names = append(names, o.String())
	}
	return names
}

func names(name string) []string {
	return []string{"container " + name + "-relay", "network " + name, "volume " + name + "-relay-spool"}
}

// writeState writes the platform's state: what it has of an identity and of objects.
func writeState(t *testing.T, e *Environment, id stack.Identity, objects map[docker.Kind]docker.Object) {
	t.Helper()
	type resource map[string]any
	resources := []resource{}
	add := func(kind, name string, attributes map[string]any) {
		resources = append(resources, resource{"mode": "managed", "type": kind, "name": name, "module": "module.platform",
			"provider": `provider["terraform.io/builtin/terraform"]`, "instances": []any{map[string]any{"schema_version": 0, "attributes": attributes}}})
	}
	outputs := map[string]any{}
	if id.ID != "" {
		outputs["stack"] = map[string]any{"value": id, "type": []any{"object", map[string]string{"id": "string", "name": "string", "alerting": "string"}}}
		add("terraform_data", "identity", map[string]any{"id": id.ID})
	}
	for kind, o := range objects {
		add("docker_"+string(kind), "x", map[string]any{"id": o.ID, "name": o.Name})
	}
	data, err := json.Marshal(map[string]any{"version": 4, "terraform_version": "1.11.0", "serial": 1, "lineage": "test", "outputs": outputs, "resources": resources})
	require.NoError(t, err)
	write(t, filepath.Join(e.root("platform"), "terraform.tfstate"), string(data))
}

func testName() string { return "lookout-env-" + strings.ToLower(rand.Text()[:8]) }

func (e *Environment) named(t *testing.T, name string) {
	t.Helper()
	require.NoError(t, e.writeVars("platform", "name", 0o644, nameVars{Name: name}))
}

func TestDownRemovesItsOwnStackAndNothingElse(t *testing.T) {
	name := testName()
	for what, c := range map[string]struct {
		// mine is the identity in this checkout's state; recorded says that the state has the objects, too.
		mine     string
		recorded bool
		// labelled is the identity on the objects.
		labelled string
		removed  bool
	}{
		"recorded and labelled":                         {"mine", true, "mine", true},
		"labelled, but an interrupted apply lost track": {"mine", false, "mine", true},
		"of an earlier commit: recorded without label":  {"", true, "", true},
		"another checkout's":                            {"mine", false, "theirs", false},
		"of an earlier commit in another checkout":      {"mine", false, "", false},
		"anybody's, seen from a clone that never ran":   {"", false, "theirs", false},
	} {
		t.Run(what, func(t *testing.T) {
			engine := newEngine(t)
			e, out := newEnvironment(t)
			e.named(t, name)
			objects := engine.stack(t, name, c.labelled)
			neighbour := engine.stack(t, name+"-eu", "neighbour")
			require.Len(t, neighbour, 3)
			if !c.recorded {
				objects = nil
			}
			if c.mine != "" || c.recorded {
				writeState(t, e, stack.Identity{ID: c.mine, Name: name}, objects)
			}
			t.Setenv("YES", "1")
			e.In = strings.NewReader(name + "\n")
			require.NoError(t, e.Down(t.Context()))

			want := append([]string{}, names(name+"-eu")...)
			if !c.removed {
				want = append(want, names(name)...)
				require.Contains(t, out.String(), "not touched: 1 container, 1 network and 1 volume ("+name+"-relay")
			} else {
				require.NotContains(t, out.String(), "not touched")
			}
			require.ElementsMatch(t, want, engine.left(t))
			require.Contains(t, out.String(), "no container, network or volume of this checkout's "+name+" is left")
		})
	}
}

func TestAForeignStackIsRemovedOnlyWhenAPersonTypesItsName(t *testing.T) {
	name := testName()
	for what, c := range map[string]struct {
		typed   string
		removed bool
	}{
		"its name":          {name, true},
		"yes":               {"yes", false},
		"nothing":           {"", false},
		"a name like it":    {name + "-eu", false},
		"no terminal at it": {"-", false},
	} {
		t.Run(what, func(t *testing.T) {
			engine := newEngine(t)
			e, out := newEnvironment(t)
			e.named(t, name)
			engine.stack(t, name, "theirs")
			if c.typed != "-" {
				e.In = strings.NewReader(c.typed + "\n")
			}
			require.NoError(t, e.Down(t.Context()))
			if c.removed {
				require.Empty(t, engine.left(t))
				return
			}
			require.ElementsMatch(t, names(name), engine.left(t))
			require.Contains(t, out.String(), "not touched")
		})
	}
}

func TestAnIdentityIsKnownFromTheMomentTerraformHasMadeIt(t *testing.T) {
	e, _ := newEnvironment(t)
	w := &identityWatch{e: e}
	for _, part := range []string{
		"module.platform.terraform_data.identity: Creating...\nmodule.platform.terraform_data.iden",
		"tity: Creation complete after 0s [id=44d7dae3-6172]\nmodule.platform.docker_network.lookout: Creation complete after 1s [id=abc]\n",
		"terraform_data.identity: Creation complete after 0s [id=44d7dae3-6172]\n",
	} {
		_, err := w.Write([]byte(part))
		require.NoError(t, err)
	}
	own, err := e.ownership(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"44d7dae3-6172"}, own.IDs)
	require.True(t, own.Owns(docker.Object{ID: "1", Labels: map[string]string{stack.LabelStack: "44d7dae3-6172"}}))
	require.Equal(t, "lookout-local", own.Name)
}

func TestTheNameComesFromTheStateAndNotFromAFile(t *testing.T) {
	e, _ := newEnvironment(t)
	e.named(t, "lookout-file")
	own, err := e.ownership(t.Context())
	require.NoError(t, err)
	require.Equal(t, "lookout-file", own.Name, "before there is a state")
	writeState(t, e, stack.Identity{}, map[docker.Kind]docker.Object{docker.Network: {ID: "n", Name: "lookout-network"}})
	own, err = e.ownership(t.Context())
	require.NoError(t, err)
	require.Equal(t, "lookout-network", own.Name, "of an earlier commit")
	writeState(t, e, stack.Identity{ID: "id", Name: "lookout-output"}, map[docker.Kind]docker.Object{docker.Network: {ID: "n", Name: "lookout-network"}})
	own, err = e.ownership(t.Context())
	require.NoError(t, err)
	require.Equal(t, stack.Identity{ID: "id", Name: "lookout-output"}, own.Identity)
}

// planOf is a plan that would create a stack.
func planOf(t *testing.T, name string, port int) Plan {
	t.Helper()
	var plan Plan
	ports := fmt.Sprintf(`[{"external": %d, "internal": 8070, "ip": "127.0.0.1", "protocol": "tcp"}]`, port)
	require.NoError(t, json.Unmarshal([]byte(`{"resource_changes": [
		{"address": "a", "type": "docker_container", "change": {"actions": ["create"], "before": null, "after": {"name": "`+name+`-relay", "ports": `+ports+`}}},
		{"address": "b", "type": "docker_network", "change": {"actions": ["create"], "before": null, "after": {"name": "`+name+`"}}},
		{"address": "c", "type": "docker_volume", "change": {"actions": ["create"], "before": null, "after": {"name": "`+name+`-relay-spool"}}}]}`), &plan))
	return plan
}

func TestATakenNameIsRefusedInOneSentenceBeforeAnythingIsCreated(t *testing.T) {
	engine, name := newEngine(t), testName()
	e, _ := newEnvironment(t)
	engine.stack(t, name, "theirs")
	_, err := e.checkPlatform(t.Context(), planOf(t, name, 0))
	require.ErrorContains(t, err, "1 container, 1 network and 1 volume ("+name+"-relay, "+name+", "+name+"-relay-spool) exists already")
	require.ErrorContains(t, err, "belongs to the stack "+name+" of another checkout")
	require.ErrorContains(t, err, "make up ENV=local NAME="+name+"-2")
	require.ErrorContains(t, err, "nothing was changed")
	require.Len(t, strings.Split(err.Error(), "\n"), 2)

	// What is its own is in no one's way.
	writeState(t, e, stack.Identity{ID: "theirs", Name: name}, nil)
	_, err = e.checkPlatform(t.Context(), planOf(t, name, 0))
	require.NoError(t, err)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	_, err = e.checkPlatform(t.Context(), planOf(t, name, port))
	require.ErrorContains(t, err, "127.0.0.1:"+strconv.Itoa(port)+", which "+name+"-relay wants, is in use")
}

func TestATimeZoneThatDoesNotExistIsRefusedBeforeAnythingIsCreated(t *testing.T) {
	e, _ := newEnvironment(t)
	container := func(zone string) Plan {
		var c ResourceChange
		c.Type, c.Change.Actions = "docker_container", []string{"create"}
		c.Change.After = map[string]any{"name": testName(), "upload": []any{map[string]any{"file": "/lookout/config/alertmanager.yml",
			"content": "time_intervals:\n  - name: night\n    time_intervals:\n      - location: " + zone + "\n        times: [{start_time: '22:00', end_time: '24:00'}]\n"}}}
		return Plan{ResourceChanges: []ResourceChange{c, c}}
	}
	_, err := e.checkPlatform(t.Context(), container("Asia/Shangai"))
	require.EqualError(t, err, "mute_intervals: night is meant in the time zone \"Asia/Shangai\", which does not exist: write an IANA name such as \"Asia/Shanghai\"\nnothing was changed")
	_, err = e.checkPlatform(t.Context(), container("Asia/Shanghai"))
	require.NoError(t, err)
}

func TestRepairRemovesWhatCarriesTheIdentityAndIsInNoState(t *testing.T) {
	engine, name := newEngine(t), testName()
	e, out := newEnvironment(t)
	mine := engine.stack(t, name, "mine")
	engine.stack(t, name+"-eu", "theirs")
	writeState(t, e, stack.Identity{ID: "mine", Name: name}, map[docker.Kind]docker.Object{docker.Network: mine[docker.Network]})
	require.NoError(t, e.repair(t.Context()))
	require.ElementsMatch(t, append(names(name)[1:], names(name+"-eu")...), engine.left(t), "the container goes, the network is recorded, a volume stays")
	require.Contains(t, out.String(), "removed the container "+name+"-relay")
}

func TestAStackGetsANameAndFreePorts(t *testing.T) {
	e, out := newEnvironment(t)
	require.ErrorContains(t, e.SetName(t.Context(), "Look Out"), "is not a valid name")
	require.NoFileExists(t, e.varsPath("platform", "name"))

	// The first free ports are those next to the default ones, unless something listens there.
	busy, err := net.Listen("tcp", "127.0.0.1:9190")
	if err == nil {
		defer busy.Close()
	}
	require.NoError(t, e.SetName(t.Context(), "lookout-two"))
	var vars nameVars
	require.NoError(t, e.readVars("platform", "name", &vars))
	require.Equal(t, "lookout-two", vars.Name)
	require.Len(t, vars.Ports, len(stack.Services))
	require.NotEqual(t, 9190, vars.Ports["prometheus"])
	require.Contains(t, out.String(), "the stack is named lookout-two")

	before := vars
	require.NoError(t, e.SetName(t.Context(), "lookout-two"))
	require.NoError(t, e.readVars("platform", "name", &vars))
	require.Equal(t, before, vars, "its ports stay")

	writeState(t, e, stack.Identity{ID: "id", Name: "lookout-two"}, map[docker.Kind]docker.Object{docker.Network: {ID: "n", Name: "lookout-two"}})
	require.ErrorContains(t, e.SetName(t.Context(), "lookout-three"), "this checkout's local is the stack lookout-two already: run `make down ENV=local` first")
}

func TestMain(m *testing.M) {
	if err := buildTestImage(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "the Docker Engine does not answer; `make init` installs and starts it:", err)
		os.Exit(1)
	}
	code := m.Run()
	if _, err := docker.Run(context.Background(), "image", "rm", "--force", testImage); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
