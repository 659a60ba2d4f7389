package release

import (
	"crypto/ed25519"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lookout/internal/toolchain"
)

func TestSection(t *testing.T) {
	const log = "# Changelog\n\n## Unreleased\n\n- new\n\n## 1.2.0 - 2026-12-01\n\n### Fixed\n\n- a\n\n## 1.1.0\n\n- b\n\n## 1.0.0\n\n"
	for version, want := range map[string]string{"Unreleased": "- new\n", "1.2.0": "### Fixed\n\n- a\n", "1.1.0": "- b\n"} {
		got, err := Section(log, version)
		require.NoError(t, err, version)
		require.Equal(t, want, got)
	}
	for _, version := range []string{"1.0.0", "1.2", "2.0.0"} {
		_, err := Section(log, version)
		require.Error(t, err, version)
	}
}

func TestKeys(t *testing.T) {
	private, public, err := NewKey()
	require.NoError(t, err)
	key, err := PrivateKey(private)
	require.NoError(t, err)
	pub, err := PublicKey(public)
	require.NoError(t, err)
	require.True(t, ed25519.Verify(pub, []byte("x"), ed25519.Sign(key, []byte("x"))))
	_, err = PrivateKey(public)
	require.Error(t, err)
	_, err = PublicKey(private)
	require.Error(t, err)
	_, err = PrivateKey([]byte("no key"))
	require.ErrorContains(t, err, "openssl genpkey")
}

// What a signature does not cover, or covers no longer, is named; a program of another architecture is not accepted.
func TestVerifyRefuses(t *testing.T) {
	private, public, err := NewKey()
	require.NoError(t, err)
	key, err := PrivateKey(private)
	require.NoError(t, err)
	pub, err := PublicKey(public)
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, Notes), []byte("notes"), 0o644))
	sums, err := checksums(dir)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, Sums), sums, 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, Signature), ed25519.Sign(key, sums), 0o644))
	require.ErrorContains(t, Verify(dir, "1.0.0", pub), "image_console_1.0.0_linux_amd64.tar", "what is signed is not enough: the images are missing")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "more"), nil, 0o644))
	require.ErrorContains(t, Verify(dir, "1.0.0", pub), "nothing is said of more")
	require.NoError(t, os.Remove(filepath.Join(dir, "more")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, Notes), []byte("other"), 0o644))
	require.ErrorContains(t, Verify(dir, "1.0.0", pub), "changed or missing is NOTES.md")
	require.NoError(t, os.WriteFile(filepath.Join(dir, Signature), make([]byte, 64), 0o644))
	require.ErrorContains(t, Verify(dir, "1.0.0", pub), "not the signature")

	own, err := os.ReadFile("/proc/self/exe")
	require.NoError(t, err)
	require.Error(t, static(own, "mips"))
	require.ErrorContains(t, static([]byte("#!/bin/sh"), "amd64"), "not a program for Linux")
}

// The workflow publishes every image for every architecture.
func TestTheWorkflowPublishesAll(t *testing.T) {
	data, err := os.ReadFile("../../.github/workflows/release.yml")
	require.NoError(t, err)
	var roles []string
	for _, p := range toolchain.Programs {
		roles = append(roles, p.Role)
	}
	require.Contains(t, string(data), "for role in "+strings.Join(roles, " ")+"; do\n")
	require.Contains(t, string(data), "for arch in "+strings.Join(Architectures, " ")+"; do\n")
}

func TestArchive(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	require.NoError(t, os.WriteFile(file, []byte(strings.Repeat("text ", 1000)), 0o644))
	first, err := archive([]archived{{"a", file, 0o644}, {"b", file, 0o755}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "x.tar.gz"), first, 0o644))
	files, err := unpack(filepath.Join(dir, "x.tar.gz"))
	require.NoError(t, err)
	require.Len(t, files, 2)
	require.Len(t, files["b"], 5000)
	again, err := archive([]archived{{"a", file, 0o644}, {"b", file, 0o755}})
	require.NoError(t, err)
	require.Equal(t, first, again)
}
