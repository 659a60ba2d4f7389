package toolchain

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// NeedNPM is for the accessibility checker that pages are tested with.
var NeedNPM = Need{Programs: []string{"npm"}, Packages: []string{"npm"}, For: "to get the accessibility checker axe-core for tests of pages"}

// The accessibility checker (MPL-2.0) is used by tests only and is part of no program. Version and checksum are npm's.
const (
	axeVersion   = "4.14.1"
	axeIntegrity = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
)

// Axe gets the accessibility checker by npm into the cache, verifies its checksum and links it to the path link.
func Axe(ctx context.Context, p *Progress, cacheRoot, link string) error {
	dir := filepath.Join(cacheRoot, "axe-core", axeVersion)
	script := filepath.Join(dir, "axe.min.js")
	if _, err := os.Stat(script); err != nil {
		if err := Ensure(ctx, p, NeedNPM); err != nil {
			return err
		}
		if err := downloadAxe(ctx, dir, script); err != nil {
			return fmt.Errorf("get axe-core %s: %w", axeVersion, err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		return err
	}
	if to, err := os.Readlink(link); err == nil && to == script {
		return nil
	}
	if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Symlink(script, link)
}

func downloadAxe(ctx context.Context, dir, script string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(dir, "pack-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	cmd := exec.CommandContext(ctx, "npm", "pack", "--silent", "--ignore-scripts", "axe-core@"+axeVersion)
	cmd.Dir = work
	var problem bytes.Buffer
	cmd.Stderr = &problem
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("npm pack: %w: %s", err, strings.TrimSpace(problem.String()))
	}
	data, err := os.ReadFile(filepath.Join(work, "axe-core-"+axeVersion+".tgz"))
	if err != nil {
		return err
	}
	if sum := sha512.Sum512(data); base64.StdEncoding.EncodeToString(sum[:]) != axeIntegrity {
		return errors.New("the package's checksum is not the expected one; it was changed on its way")
	}
	text, err := fromTarball(data, "package/axe.min.js")
	if err != nil {
		return err
	}
	// Written whole or not at all: another run may be doing the same.
	part := filepath.Join(work, "axe.min.js")
	if err := os.WriteFile(part, text, 0o644); err != nil {
		return err
	}
	return os.Rename(part, script)
}

func fromTarball(data []byte, name string) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err != nil {
			return nil, fmt.Errorf("%s in the package: %w", name, err)
		}
		if h.Name == name {
			return io.ReadAll(r)
		}
	}
}
