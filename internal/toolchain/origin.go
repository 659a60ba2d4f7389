package toolchain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Origin says where a kind of thing comes from.
type Origin string

const (
	// Registry: pulled as published.
	Registry Origin = "registry"
	// Modules: built from pinned Go modules.
	Modules Origin = "modules"
)

// Origins is the choice for one checkout. It is made once and kept, because a stack whose images
// changed with the weather of the network would be replaced at every change.
type Origins struct {
	Images    Origin `json:"images"`
	Providers Origin `json:"providers"`
	// Why is told to the user: what answered, or who forced it.
	Why string `json:"why"`
}

// probes are the addresses that decide: each answers without a login, if it can be reached at all.
var probes = map[string]string{
	"Docker Hub":         "https://registry-1.docker.io/v2/",
	"Terraform registry": "https://registry.terraform.io/.well-known/terraform.json",
}

const probeTimeout = 3 * time.Second

// ChooseOrigins returns the kept choice of a checkout or makes one. force is "auto", "registry" or
// "modules".
func ChooseOrigins(ctx context.Context, file, force string, client *http.Client) (Origins, error) {
	switch force {
	case "", "auto":
	case string(Registry), string(Modules):
		o := Origins{Images: Origin(force), Providers: Origin(force), Why: "forced by ORIGIN=" + force}
		return o, save(file, o)
	default:
		return Origins{}, fmt.Errorf("ORIGIN=%q is not known: use auto, registry or modules", force)
	}
	data, err := os.ReadFile(file)
	if err == nil {
		var o Origins
		if json.Unmarshal(data, &o) == nil && o.Images != "" && o.Providers != "" {
			return o, nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return Origins{}, err
	}
	o := probe(ctx, client)
	return o, save(file, o)
}

func probe(ctx context.Context, client *http.Client) Origins {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	ok := map[string]bool{}
	for name, url := range probes {
		wg.Go(func() {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
			if err != nil {
				return
			}
			resp, err := client.Do(req)
			if err != nil {
				return
			}
			resp.Body.Close()
			// The image registry asks for a token: that is an answer too.
			if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusUnauthorized {
				mu.Lock()
				ok[name] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	o := Origins{Images: Modules, Providers: Modules}
	words := map[bool]string{true: "answers", false: "does not answer"}
	if ok["Docker Hub"] {
		o.Images = Registry
	}
	if ok["Terraform registry"] {
		o.Providers = Registry
	}
	o.Why = fmt.Sprintf("Docker Hub %s, the Terraform registry %s", words[ok["Docker Hub"]], words[ok["Terraform registry"]])
	return o
}

func save(file string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return WriteFile(file, append(data, '\n'), 0o644)
}

// WriteFile replaces a file in one step, so that an interruption leaves the old or the new one.
func WriteFile(path string, data []byte, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if err := tmp.Chmod(mode); err != nil {
		tmp.Close()
		return err
	}
	if _, err := tmp.Write(data); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
