package toolchain

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	alertmanagerModule    = "github.com/prometheus/alertmanager"
	grafanaProviderModule = "github.com/grafana/terraform-provider-grafana/v4"
	// grafanaServerModule is the server's, with all that lies below it: AGPL-3.0, so never fetched, built or linked.
	grafanaServerModule = "github.com/grafana/grafana"
)

// A part whose module can't be compiled as it is published is compiled from a copy: b.scratch/main holds the part's
// go.mod and go.sum, and "module", the copy, which replaces the published one.

// copiedModule makes that layout for one module. Its archive is checked against the part's go.sum.
func copiedModule(ctx context.Context, b *job, module, version string) (mainDir, copyDir string, err error) {
	dir, err := fetchModule(ctx, b.src, module, version)
	if err != nil {
		return "", "", err
	}
	mainDir = filepath.Join(b.scratch, "main")
	copyDir = filepath.Join(mainDir, "module")
	if err := copyTree(dir, copyDir); err != nil {
		return "", "", err
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		if err := copyFile(filepath.Join(b.src, name), filepath.Join(mainDir, name), 0o644); err != nil {
			return "", "", err
		}
	}
	return mainDir, copyDir, b.run(ctx, mainDir, nil, "go", "mod", "edit", "-replace="+module+"=./module")
}

// fetchModule returns the folder of one module in the module cache, fetching that module alone: nothing that it
// requires. src is a folder with the go.sum that names its checksum.
func fetchModule(ctx context.Context, src, module, version string) (string, error) {
	out, err := output(ctx, src, "go", "mod", "download", "-json", module+"@"+version)
	if err != nil {
		return "", err
	}
	var got struct{ Dir, Sum string }
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		return "", fmt.Errorf("go mod download %s@%s: %w", module, version, err)
	}
	sums, err := os.ReadFile(filepath.Join(src, "go.sum"))
	if err != nil {
		return "", err
	}
	want := module + " " + version + " " + got.Sum
	if !slices.Contains(strings.Split(string(sums), "\n"), want) {
		return "", fmt.Errorf("%s/go.sum does not hold the line %q: what was fetched is not what is pinned", src, want)
	}
	return got.Dir, nil
}

// missingPages is what Alertmanager shows instead of its own pages, which are not part of its module.
const missingPages = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Alertmanager</title>
<p>This Alertmanager was built from its Go module, which does not contain its pages.
Use Lookout's console, amtool, or the published image.</p>
</html>
`

// timeZones brings the zones that mute time intervals name, for there are none in the image. A file of the programs'
// own does it, not the tag timetzdata: with that, package time would be another one, and whatever imports it would not
// be shared with other parts.
const timeZones = `package main

import _ "time/tzdata"
`

// prepareAlertmanager adds a page where the server embeds its built ones, and time zones.
func prepareAlertmanager(ctx context.Context, b *job) (string, error) {
	dir, module, err := copiedModule(ctx, b, alertmanagerModule, "v"+AlertmanagerVersion)
	if err != nil {
		return "", err
	}
	for _, program := range []string{"alertmanager", "amtool"} {
		if err := WriteFile(filepath.Join(module, "cmd", program, "tzdata.go"), []byte(timeZones), 0o644); err != nil {
			return "", err
		}
	}
	for _, pages := range []string{"elm", "mantine"} {
		at := filepath.Join(module, "ui/app/dist", pages)
		if _, err := os.Stat(at); !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("the module of Alertmanager has a folder ui/app/dist/%s: its layout has changed (%w)", pages, err)
		}
		// The server finds its pages compressed, or not at all.
		var page bytes.Buffer
		w := gzip.NewWriter(&page)
		if _, err := w.Write([]byte(missingPages)); err != nil {
			return "", err
		}
		if err := w.Close(); err != nil {
			return "", err
		}
		if err := WriteFile(filepath.Join(at, "index.html.gz"), page.Bytes(), 0o644); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// namedResource is all that the rest of the provider needs from the package of its app-platform resources.
const namedResource = `package appplatform

import (
	"github.com/grafana/terraform-provider-grafana/v4/internal/common"
	"github.com/hashicorp/terraform-plugin-framework/resource"
)

type NamedResource struct {
	Resource resource.Resource
	Name     string
	Category common.ResourceCategory
}
`

// prepareGrafanaProvider leaves out of the provider what may not be built: the app-platform resources, which import
// packages of Grafana's server (AGPL-3.0), and k6's, whose client comes without any licence. Lookout uses neither;
// every other resource stays.
func prepareGrafanaProvider(ctx context.Context, b *job) (string, error) {
	dir, module, err := copiedModule(ctx, b, grafanaProviderModule, "v"+GrafanaProviderVersion)
	if err != nil {
		return "", err
	}
	const k6Module = "github.com/grafana/k6-cloud-openapi-client-go"
	for _, path := range []string{
		"internal/functions",
		"internal/resources/appplatform",
		"internal/resources/cloud/resource_k6_installation.go",
		"internal/resources/k6",
	} {
		if _, err := os.Stat(filepath.Join(module, path)); err != nil {
			return "", fmt.Errorf("cutting the provider's module: %w", err)
		}
		if err := os.RemoveAll(filepath.Join(module, path)); err != nil {
			return "", err
		}
	}
	file := filepath.Join(module, "internal/resources/appplatform/resource.go")
	if err := WriteFile(file, []byte(namedResource), 0o644); err != nil {
		return "", err
	}
	for file, cuts := range map[string][]span{
		"internal/common/client.go": {
			line("\t\"" + k6Module + "/k6\""),
			line("\tK6APIClient *k6.APIClient"),
		},
		"internal/resources/cloud/resources.go": {line("\tresourceK6Installation(),")},
		"pkg/provider/configure_clients.go": {
			line("\t\"" + k6Module + "/k6\""),
			line("\t\"" + grafanaProviderModule + "/internal/common/k6providerapi\""),
			{"\tif !providerConfig.K6AccessToken.IsNull()", "\n\t}\n"},
			{"func createK6Client(", "\n}\n"},
		},
		"pkg/provider/framework_provider.go": {
			line("\t\"" + grafanaProviderModule + "/internal/functions\""),
			line("\t\tfunctions.NewK6BundleFunction,"),
		},
		"pkg/provider/resources.go": {
			line("\t\"" + grafanaProviderModule + "/internal/resources/k6\""),
			line("\tresources = append(resources, k6.DataSources...)"),
			line("\tresources = append(resources, k6.Resources...)"),
			{"\t\tappplatform.Dashboard(),\n", "appplatform.K8sO11yConfigResource(),\n"},
		},
	} {
		if err := cutFile(filepath.Join(module, file), cuts); err != nil {
			return "", fmt.Errorf("cutting the provider's module: %w", err)
		}
	}
	return dir, dropRequirements(ctx, b, module, grafanaServerModule+"/", k6Module, "github.com/evanw/esbuild")
}

// dropRequirements removes from a go.mod every module whose path begins with one of the prefixes.
func dropRequirements(ctx context.Context, b *job, dir string, prefixes ...string) error {
	text, err := output(ctx, dir, "go", "mod", "edit", "-json")
	if err != nil {
		return err
	}
	var mod struct{ Require []struct{ Path string } }
	if err := json.Unmarshal([]byte(text), &mod); err != nil {
		return err
	}
	args := []string{"mod", "edit"}
	for _, r := range mod.Require {
		if slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(r.Path, prefix) }) {
			args = append(args, "-droprequire="+r.Path)
		}
	}
	return b.run(ctx, dir, nil, "go", args...)
}

// A span of a file's text, from the first words to the last, both included.
type span struct{ from, to string }

func line(text string) span { return span{text, "\n"} }

// cutFile removes spans, each of which must begin in exactly one place.
func cutFile(path string, cuts []span) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text := string(data)
	for _, c := range cuts {
		before, rest, ok := strings.Cut(text, c.from)
		if !ok || strings.Contains(rest, c.from) {
			return fmt.Errorf("%s: %q is not there exactly once: its layout has changed", path, c.from)
		}
		_, after, ok := strings.Cut(c.from+rest, c.to)
		if !ok {
			return fmt.Errorf("%s: nothing ends with %q after %q: its layout has changed", path, c.to, c.from)
		}
		text = before + after
	}
	return os.WriteFile(path, []byte(text), 0o644)
}
