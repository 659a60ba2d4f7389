package origin

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"lookout/internal/docker"
	"lookout/internal/toolchain"
)

// descriptor is a blob in an image's manifest: https://distribution.github.io/distribution/spec/manifest-v2-2/.
type descriptor struct {
	MediaType string `json:"mediaType"`
	Size      int    `json:"size"`
	Digest    string `json:"digest"`
}

// seed puts an image of this machine's engine into a registry under another name.
func seed(t *testing.T, registry, name, image string) {
	t.Helper()
	archive, err := docker.Save(t.Context(), image)
	require.NoError(t, err, "docker save %s", image)
	files := map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		data, err := io.ReadAll(r)
		require.NoError(t, err)
		files[header.Name] = data
	}
	var saved []struct {
		Config string
		Layers []string
	}
	require.NoError(t, json.Unmarshal(files["manifest.json"], &saved))
	repository, tag, _ := strings.Cut(name, ":")
	manifest := struct {
		SchemaVersion int          `json:"schemaVersion"`
		MediaType     string       `json:"mediaType"`
		Config        descriptor   `json:"config"`
		Layers        []descriptor `json:"layers"`
	}{2, "application/vnd.docker.distribution.manifest.v2+json", descriptor{}, nil}
	manifest.Config = upload(t, registry, repository, "application/vnd.docker.container.image.v1+json", files[saved[0].Config])
	for _, layer := range saved[0].Layers {
		manifest.Layers = append(manifest.Layers, upload(t, registry, repository, "application/vnd.docker.image.rootfs.diff.tar", files[layer]))
	}
	body, err := json.Marshal(manifest)
	require.NoError(t, err)
	put(t, registry+"/v2/"+repository+"/manifests/"+tag, manifest.MediaType, body)
}

func upload(t *testing.T, registry, repository, mediaType string, data []byte) descriptor {
	t.Helper()
	require.NotEmpty(t, data)
	sum := sha256.Sum256(data)
	digest := "sha256:" + hex.EncodeToString(sum[:])
	resp, err := http.Post(registry+"/v2/"+repository+"/blobs/uploads/", "", nil)
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, http.StatusAccepted, resp.StatusCode)
	location := resp.Header.Get("Location")
	if strings.HasPrefix(location, "/") {
		location = registry + location
	}
	separator := "?"
	if strings.Contains(location, "?") {
		separator = "&"
	}
	put(t, location+separator+"digest="+digest, "application/octet-stream", data)
	return descriptor{mediaType, len(data), digest}
}

func put(t *testing.T, url, mediaType string, data []byte) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPut, url, bytes.NewReader(data))
	require.NoError(t, err)
	req.Header.Set("Content-Type", mediaType)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, resp.StatusCode, "%s: %s", url, body)
}

// providerMirror serves one provider by Terraform's protocol of mirrors:
// https://developer.hashicorp.com/terraform/internals/provider-network-mirror-protocol.
type providerMirror struct {
	program string

	mu    sync.Mutex
	paths []string
	zip   []byte
}

func (m *providerMirror) archive() string {
	return fmt.Sprintf("terraform-provider-docker_%s_%s_%s.zip", toolchain.DockerProviderVersion, runtime.GOOS, runtime.GOARCH)
}

func (m *providerMirror) asked() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.paths)
}

func (m *providerMirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.paths = append(m.paths, r.URL.Path)
	_, path, ok := strings.Cut(r.URL.Path, "/kreuzwerker/docker/")
	if !ok {
		http.NotFound(w, r)
		return
	}
	var answer any
	switch path {
	case "index.json":
		answer = map[string]any{"versions": map[string]any{toolchain.DockerProviderVersion: map[string]any{}}}
	case toolchain.DockerProviderVersion + ".json":
		answer = map[string]any{"archives": map[string]any{runtime.GOOS + "_" + runtime.GOARCH: map[string]any{"url": m.archive()}}}
	case m.archive():
		if err := m.pack(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/zip")
		_, _ = w.Write(m.zip)
		return
	default:
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

// pack makes the archive once, without compressing it: it goes over loopback.
func (m *providerMirror) pack() error {
	if m.zip != nil {
		return nil
	}
	data, err := os.ReadFile(m.program)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	header := &zip.FileHeader{Name: filepath.Base(m.program), Method: zip.Store}
	header.SetMode(0o755)
	f, err := w.CreateHeader(header)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	m.zip = b.Bytes()
	return nil
}

// certificate is what a client has to trust.
func certificate(s *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}
