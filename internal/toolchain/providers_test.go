package toolchain

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// program is a script in Terraform's place.
func program(t *testing.T, script string) Terraform {
	t.Helper()
	file := filepath.Join(t.TempDir(), "terraform")
	require.NoError(t, os.WriteFile(file, []byte("#!/bin/sh\n"+script), 0o755))
	return Terraform{Name: "Terraform", Path: file}
}

func TestTerraformSaysWhetherAProviderCanBeHad(t *testing.T) {
	t.Setenv("TF_CLI_CONFIG_FILE", "/ours")
	for name, c := range map[string]struct {
		script, config string
		from           Source
		why            string
	}{
		"it can be installed": {script: `grep -q kreuzwerker/docker main.tf`, from: Published},
		"with the user's configuration": {config: "/theirs",
			script: `[ "$TF_CLI_CONFIG_FILE" = /theirs ]`, from: Published},
		"without one, with Terraform's default": {script: `[ -z "${TF_CLI_CONFIG_FILE+x}" ]`, from: Published},
		"it can't": {script: "printf 'Error: Failed to query\\n\\nCould not retrieve kreuzwerker/docker: no such host\\n' >&2; exit 1",
			from: Built, why: "no such host"},
		"it fails without a word": {script: "exit 3", from: Built, why: "terraform init: exit status 3"},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := OpenOrigins(filepath.Join(t.TempDir(), "origin.json"), "")
			require.NoError(t, err)
			tf := program(t, c.script)
			scratch := t.TempDir()
			choice, err := o.ChooseProvider(t.Context(), Providers[0], &tf, c.config, scratch, http.DefaultClient)
			require.NoError(t, err)
			require.Equal(t, Choice{From: c.from, Why: c.why}, choice)
			require.NoDirExists(t, filepath.Join(scratch, "docker"), "what was tried is cleared away")

			other := program(t, "exit 1")
			kept, err := o.ChooseProvider(t.Context(), Providers[0], &other, "", scratch, http.DefaultClient)
			require.NoError(t, err)
			require.Equal(t, choice, kept, "a choice that was made is kept")
		})
	}
}

func TestAnInstallThatHangsIsGivenUp(t *testing.T) {
	begin := time.Now()
	err := tryInstall(t.Context(), Providers[0], program(t, "exec sleep 60"), "", t.TempDir(), 100*time.Millisecond)
	require.EqualError(t, err, "no answer within 100ms")
	require.Less(t, time.Since(begin), 30*time.Second)
	// One that has begun may take its time.
	err = tryInstall(t.Context(), Providers[0], program(t, `echo "- Installing kreuzwerker/docker v4.6.0..."; sleep 3`), "", t.TempDir(), 2*time.Second)
	require.NoError(t, err)
}

func TestForcedProvidersAreNotAskedFor(t *testing.T) {
	for mode, from := range map[string]Source{Modules: Built, Registry: Published} {
		o, err := OpenOrigins(filepath.Join(t.TempDir(), "origin.json"), mode)
		require.NoError(t, err)
		tf := program(t, "exit 1")
		choice, err := o.ChooseProvider(t.Context(), Providers[0], &tf, "", t.TempDir(), http.DefaultClient)
		require.NoError(t, err)
		require.Equal(t, from, choice.From)
	}
}

// Without a Terraform there is only the registry to ask.
func TestWithoutATerraformTheRegistryIsAsked(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.RoundTripper
		from   Source
	}{
		"it answers":      {answers(http.StatusOK), Published},
		"a portal's page": {answers(http.StatusForbidden), Built},
		"nothing answers": {answers(0), Built},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := OpenOrigins(filepath.Join(t.TempDir(), "origin.json"), "")
			require.NoError(t, err)
			choice, err := o.ChooseProvider(t.Context(), Providers[0], nil, "", t.TempDir(), &http.Client{Transport: c.answer})
			require.NoError(t, err)
			require.Equal(t, c.from, choice.From)
		})
	}
}

// answers is a network with one status; 0 cannot be reached.
type answers int

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	if a == 0 {
		return nil, os.ErrDeadlineExceeded
	}
	return &http.Response{StatusCode: int(a), Body: http.NoBody, Request: r}, nil
}
