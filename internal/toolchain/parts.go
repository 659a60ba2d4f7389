package toolchain

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Versions of what is pulled or, where nothing can be pulled, built from modules.
const (
	// DockerProviderVersion is the release that envs pin. The module that is built instead is the
	// commit pinned in tools/terraform-provider-docker/go.mod, a fortnight after that release:
	// releases themselves are not to be had as modules.
	DockerProviderVersion = "4.6.0"
	// GrafanaProviderVersion is the same release either way.
	GrafanaProviderVersion = "4.25.0"
	// PrometheusVersion is what module v0.316.0 is released as.
	PrometheusVersion = "3.16.0"
	// GrafanaModuleVersion names the build from the only Grafana server module that can be fetched,
	// a pre-release of 10.1.
	GrafanaModuleVersion = "10.1.0-pre"
	// OpenTofuVersion is built when the machine has no Terraform of at least MinTerraform.
	OpenTofuVersion = "1.12.6"
	// MinTerraform is the oldest Terraform that the modules support.
	MinTerraform = "1.11.0"
)

// A Part is something built from a pinned Go module under tools/.
type Part struct {
	// Name is what a person reads, and the part's folder in the cache.
	Name string
	// Version is stamped into what is built.
	Version string
	// Dir is the folder under tools/ with the part's go.mod and go.sum.
	Dir string
	// Also are further files under tools/ that the result depends on.
	Also []string
	// Apart says that next to none of its packages are those of another part, so that building it
	// beside the others compiles nothing twice.
	Apart bool
	// Needs is a program of the operating system that compiling takes.
	Needs *Need
	// build compiles into out. It must leave nothing outside out and the scratch folder.
	build func(ctx context.Context, b *job) error
}

// job is one build of a part.
type job struct {
	src     string // tools/<dir>
	tools   string // tools
	out     string // becomes the cached artifact when build returns nil
	scratch string // removed afterwards
	run     func(ctx context.Context, dir string, env []string, name string, args ...string) error
}

// recipe changes whenever the way of building changes without any file under tools/ changing.
const recipe = "5"

var pureGo = []string{"CGO_ENABLED=0"}

// CompileFlags are those of everything that is compiled here, our own programs included: what two of
// them share is compiled once only if it is compiled in the same way. Debug information is left out
// because linking with -w would drop it anyway; making it is a tenth of the work (measured on the docker
// provider: 326 instead of 364 CPU seconds).
var CompileFlags = []string{"-trimpath", "-gcflags=all=-dwarf=false"}

// goBuild compiles packages of the module in dir.
func (b *job) goBuild(ctx context.Context, dir string, env []string, args ...string) error {
	return b.run(ctx, dir, env, "go", slices.Concat([]string{"build", "-v", "-mod=readonly"}, CompileFlags, args)...)
}

// The parts in the order in which they are built: what `terraform init` needs first.
func partDockerProvider() Part {
	const module = "github.com/terraform-providers/terraform-provider-docker"
	return providerPart("terraform-provider-docker", module, DockerProviderVersion)
}

func partGrafanaProvider() Part {
	const module = "github.com/grafana/terraform-provider-grafana/v4"
	return providerPart("terraform-provider-grafana", module, GrafanaProviderVersion)
}

func providerPart(name, pkg, version string) Part {
	return Part{Name: name, Version: version, Dir: name,
		build: func(ctx context.Context, b *job) error {
			out := filepath.Join(b.out, name+"_v"+version)
			return b.goBuild(ctx, b.src, pureGo, "-ldflags=-s -w -X main.version="+version, "-o", out, pkg)
		}}
}

// defaultScrape is the configuration inside the image, for those who run it by itself.
const defaultScrape = `scrape_configs:
  - job_name: prometheus
    static_configs:
      - targets: ["localhost:9090"]
`

func partPrometheus() Part {
	return Part{Name: "prometheus", Version: PrometheusVersion, Dir: "prometheus",
		build: func(ctx context.Context, b *job) error {
			const common = "github.com/prometheus/common/version."
			flags := []string{
				"-s", "-w",
				"-X", common + "Version=" + PrometheusVersion,
				"-X", common + "Branch=module",
				"-X", common + "BuildUser=lookout",
			}
			// One of the service discoveries depends on a module that cannot be fetched, so only
			// those that modules/prometheus offers are compiled in.
			if err := WriteFile(filepath.Join(b.out, "etc/prometheus.yml"), []byte(defaultScrape), 0o644); err != nil {
				return err
			}
			return b.goBuild(ctx, b.src, pureGo,
				"-tags=netgo,remove_all_sd,enable_dns_sd,enable_moby_sd",
				"-ldflags="+strings.Join(flags, " "), "-o", b.out+string(filepath.Separator),
				"github.com/prometheus/prometheus/cmd/prometheus",
				"github.com/prometheus/prometheus/cmd/promtool")
		}}
}

func partGrafana() Part {
	return Part{Name: "grafana", Version: GrafanaModuleVersion, Dir: "grafana",
		Also:  []string{"wire/go.mod", "wire/go.sum"},
		Apart: true,
		Needs: &needCompiler,
		build: buildGrafana}
}

// buildGrafana generates the dependency injection, which the module does not hold, in a copy of the
// module, compiles the server statically, and lays out the files that it reads at run time.
func buildGrafana(ctx context.Context, b *job) error {
	wire := filepath.Join(b.scratch, "wire")
	if err := b.goBuild(ctx, filepath.Join(b.tools, "wire"), pureGo, "-o", wire, "github.com/google/wire/cmd/wire"); err != nil {
		return err
	}
	const module = "github.com/grafana/grafana"
	if err := b.run(ctx, b.src, nil, "go", "mod", "download", module); err != nil {
		return err
	}
	dir, err := moduleDir(ctx, b.src, module)
	if err != nil {
		return err
	}
	src := filepath.Join(b.scratch, "src")
	if err := copyTree(dir, filepath.Join(src, "grafana")); err != nil {
		return err
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		if err := copyFile(filepath.Join(b.src, name), filepath.Join(src, name), 0o644); err != nil {
			return err
		}
	}
	if err := b.run(ctx, src, nil, "go", "mod", "edit", "-replace="+module+"=./grafana"); err != nil {
		return err
	}
	// It lists packages in a way that compiles the C of SQLite, a minute's work if optimised, only to drop it.
	if err := b.run(ctx, src, []string{"CGO_CFLAGS=-O0"}, wire, "gen", "-tags", "oss", module+"/pkg/server"); err != nil {
		return err
	}
	if err := b.goBuild(ctx, src, []string{"CGO_ENABLED=1", "CC=gcc"},
		"-tags=oss netgo osusergo sqlite_omit_load_extension timetzdata",
		"-ldflags=-s -w -linkmode external -extldflags -static -X main.version="+GrafanaModuleVersion,
		"-o", filepath.Join(b.out, "grafana"), module+"/pkg/cmd/grafana"); err != nil {
		return err
	}
	if err := copyGrafanaHome(dir, filepath.Join(b.out, "home")); err != nil {
		return err
	}
	// As in the published image: an all-commented configuration file, and no provisioning.
	if err := copyFile(filepath.Join(dir, "conf/sample.ini"), filepath.Join(b.out, "etc/grafana.ini"), 0o644); err != nil {
		return err
	}
	for _, kind := range []string{"access-control", "alerting", "dashboards", "datasources", "notifiers", "plugins"} {
		if err := os.MkdirAll(filepath.Join(b.out, "etc/provisioning", kind), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// copyGrafanaHome copies what the server reads under its home path: the defaults, the page
// templates, and every core plugin's description. The frontend is not part of the module.
func copyGrafanaHome(module, home string) error {
	for _, dir := range []string{"conf", "public/views", "public/emails"} {
		if err := copyTree(filepath.Join(module, dir), filepath.Join(home, dir)); err != nil {
			return err
		}
	}
	plugins, err := filepath.Glob(filepath.Join(module, "public/app/plugins/*/*/plugin.json"))
	if err != nil {
		return err
	}
	nested, err := filepath.Glob(filepath.Join(module, "public/app/plugins/*/*/*/plugin.json"))
	if err != nil {
		return err
	}
	plugins = append(plugins, nested...)
	if len(plugins) == 0 {
		return fmt.Errorf("no plugin.json under public/app/plugins of the Grafana module: its layout has changed")
	}
	for _, file := range plugins {
		rel, err := filepath.Rel(module, file)
		if err != nil {
			return err
		}
		if err := copyFile(file, filepath.Join(home, rel), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func partOpenTofu() Part {
	return Part{Name: "opentofu", Version: OpenTofuVersion, Dir: "opentofu",
		build: func(ctx context.Context, b *job) error {
			return b.goBuild(ctx, b.src, pureGo, "-ldflags=-s -w -X github.com/opentofu/opentofu/version.dev=no", "-o", filepath.Join(b.out, "tofu"), "github.com/opentofu/opentofu/cmd/tofu")
		}}
}

// Version is Lookout's own, stamped into its programs and images.
const Version = "0.1.0"

// OpenTofu is the part that replaces a missing Terraform.
func OpenTofu() Part { return partOpenTofu() }

// Needed are the parts to have for the given origins, in the order of building. promtool is built in
// any case: rule tests and the check of scrape configurations run with it.
func Needed(o Origins) []Part {
	var parts []Part
	if o.Providers == Modules {
		parts = append(parts, partDockerProvider(), partGrafanaProvider())
	}
	parts = append(parts, partPrometheus())
	if o.Images == Modules {
		parts = append(parts, partGrafana())
	}
	return parts
}

// PartNamed returns the part of that name.
func PartNamed(name string) Part {
	for _, p := range []Part{partDockerProvider(), partGrafanaProvider(), partPrometheus(), partGrafana(), partOpenTofu()} {
		if p.Name == name {
			return p
		}
	}
	panic("no part is named " + name)
}
