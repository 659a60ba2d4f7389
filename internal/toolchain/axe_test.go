package toolchain

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A package that was changed on its way is refused, and nothing of it stays.
func TestAxeRefusesAChangedPackage(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: "package/axe.min.js", Size: 4, Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("evil")); err != nil {
		t.Fatal(err)
	}
	_, _ = w.Close(), z.Close()
	bin := t.TempDir()
	tgz := filepath.Join(bin, "changed.tgz")
	if err := os.WriteFile(tgz, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	npm := "#!/bin/sh\ncp " + tgz + " axe-core-" + axeVersion + ".tgz\n"
	if err := os.WriteFile(filepath.Join(bin, "npm"), []byte(npm), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	cache, link := t.TempDir(), filepath.Join(t.TempDir(), "axe.min.js")
	err := Axe(context.Background(), &Progress{}, cache, link)
	if err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Fatalf("error %v", err)
	}
	if _, err := os.Lstat(link); err == nil {
		t.Error("the changed script was linked")
	}
	if left, _ := filepath.Glob(filepath.Join(cache, "axe-core", axeVersion, "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if text, err := fromTarball(b.Bytes(), "package/axe.min.js"); err != nil || string(text) != "evil" {
		t.Errorf("%q %v", text, err)
	}
}
