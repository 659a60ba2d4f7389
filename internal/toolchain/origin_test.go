package toolchain

import (
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

type answers map[string]int

// RoundTrip answers a host with its status; a host that is missing cannot be reached.
func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	for host, status := range a {
		if strings.HasSuffix(r.URL.Host, host) {
			return &http.Response{StatusCode: status, Body: http.NoBody, Request: r}, nil
		}
	}
	return nil, errors.New("no route to host")
}

func TestOrigins(t *testing.T) {
	for name, c := range map[string]struct {
		net               answers
		force             string
		images, providers Origin
	}{
		"both answer":               {answers{"docker.io": 401, "terraform.io": 200}, "auto", Registry, Registry},
		"neither can be reached":    {answers{}, "auto", Modules, Modules},
		"each is decided by itself": {answers{"docker.io": 200}, "auto", Registry, Modules},
		"a portal that says no":     {answers{"docker.io": 403, "terraform.io": 302}, "auto", Modules, Modules},
		"forced to modules":         {answers{"docker.io": 401, "terraform.io": 200}, "modules", Modules, Modules},
		"forced to registry":        {answers{}, "registry", Registry, Registry},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "origin.json")
			o, err := ChooseOrigins(t.Context(), file, c.force, &http.Client{Transport: c.net})
			require.NoError(t, err)
			require.Equal(t, c.images, o.Images)
			require.Equal(t, c.providers, o.Providers)

			kept, err := ChooseOrigins(t.Context(), file, "auto", &http.Client{Transport: answers{"docker.io": 500}})
			require.NoError(t, err)
			require.Equal(t, o, kept, "a choice that was made is kept")
		})
	}
	_, err := ChooseOrigins(t.Context(), filepath.Join(t.TempDir(), "o"), "hub", http.DefaultClient)
	require.ErrorContains(t, err, `ORIGIN="hub" is not known: use auto, registry or modules`)
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
