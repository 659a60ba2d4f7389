package stack_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lookout/internal/docker"
	"lookout/internal/stack"
)

func object(id, label, name string) docker.Object {
	labels := map[string]string{}
	if label != "" {
		labels[stack.LabelStack] = label
	}
	if name != "" {
		labels[stack.LabelEnvironment] = name
	}
	return docker.Object{Kind: docker.Container, ID: id, Name: name + "-relay", Labels: labels}
}

func TestWhatIsOwnAndWhatIsForeign(t *testing.T) {
	o := stack.Ownership{
		Identity: stack.Identity{ID: "mine", Name: "lookout-dev"},
		Recorded: map[string]bool{"recorded": true},
		IDs:      []string{"lost"},
	}
	for name, c := range map[string]struct {
		object       docker.Object
		owns, claims bool
	}{
		"carries the identity":                         {object("1", "mine", "lookout-dev"), true, true},
		"carries an identity whose state was lost":     {object("1", "lost", "lookout-dev"), true, true},
		"is in the state and has no identity":          {object("recorded", "", "lookout-dev"), true, true},
		"is in the state under another name":           {object("recorded", "", "lookout-old"), true, true},
		"another checkout's of the same name":          {object("1", "theirs", "lookout-dev"), false, true},
		"of the same name and of an earlier commit":    {object("1", "", "lookout-dev"), false, true},
		"a name that only begins alike":                {object("1", "theirs", "lookout-dev-eu"), false, false},
		"a name that only begins alike, without label": {object("1", "", "lookout-dev-eu"), false, false},
		"nothing of Lookout's":                         {docker.Object{ID: "1", Name: "lookout-dev-relay"}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.owns, o.Owns(c.object), "owns")
			require.Equal(t, c.claims, o.Claims(c.object), "claims")
		})
	}
}

func TestAStackThatNeverWasOwnsNothing(t *testing.T) {
	o := stack.Ownership{Identity: stack.Identity{Name: "lookout-local"}}
	own, foreign := o.Sort([]docker.Object{object("1", "", "lookout-local"), object("2", "theirs", "lookout-local"), object("3", "", "")})
	require.Empty(t, own)
	require.Len(t, foreign, 2)
	require.False(t, stack.Ownership{}.Claims(docker.Object{ID: "1"}), "no name claims nothing")
}

func TestServicesHaveTheirOwnNamesAndPorts(t *testing.T) {
	names, ports := map[string]bool{}, map[int]bool{}
	for _, s := range stack.Services {
		require.False(t, names[s.Name], s.Name)
		require.False(t, ports[s.Port], "%s: port %d is another's", s.Name, s.Port)
		names[s.Name], ports[s.Port] = true, true
		require.NotEmpty(t, s.About)
		require.Equal(t, "/", s.Health[:1])
	}
	require.Len(t, stack.Names(), len(names))
	_, known := stack.Named("grafana")
	require.True(t, known)
	_, known = stack.Named("grafanna")
	require.False(t, known)
}

// localPort is a port in the variables of the environment local, containerPort the one that a module serves on.
var (
	localPort     = regexp.MustCompile(`(?m)^ +(\w+) += optional\(number, (\d+)\)$`)
	containerPort = regexp.MustCompile(`(?m)^ +port += (\d+)$`)
)

// Terraform has names and ports by itself; this list must say the same.
func TestTerraformHasTheSameServicesAndPorts(t *testing.T) {
	data, err := os.ReadFile("../../envs/local/platform/variables.tf")
	require.NoError(t, err)
	_, ports, ok := strings.Cut(string(data), `variable "ports"`)
	require.True(t, ok)
	ports, _, _ = strings.Cut(ports, "\n}\n")
	local := map[string]string{}
	for _, m := range localPort.FindAllStringSubmatch(ports, -1) {
		local[m[1]] = m[2]
	}
	require.Len(t, local, len(stack.Services))
	for _, s := range stack.Services {
		require.Equal(t, strconv.Itoa(s.Port), local[s.Name], s.Name)
		files, err := filepath.Glob("../../modules/" + s.Name + "/*.tf")
		require.NoError(t, err)
		require.NotEmpty(t, files, s.Name)
		found := ""
		for _, file := range files {
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			if m := containerPort.FindSubmatch(data); m != nil {
				found = string(m[1])
			}
		}
		require.Equal(t, strconv.Itoa(s.ContainerPort), found, "the port that modules/%s serves on", s.Name)
	}
}
