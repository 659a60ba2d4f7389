package toolchain

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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
	// AlertmanagerVersion is the same release either way.
	AlertmanagerVersion = "0.35.0"
	// RegistryVersion is that of the registry which tests run.
	RegistryVersion = "3.0.0"
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
	// Packages are the programs that are compiled, by import path.
	Packages []string
	// Tags are the build tags that they are compiled with.
	Tags string
	// recipe changes whenever the way of building changes without any file under tools/ changing.
	recipe string
	// prepare returns the folder of the module to compile in, which is tools/<Dir> if prepare is nil.
	prepare func(ctx context.Context, b *job) (string, error)
	// ldflags are the linker's, beyond those that leave out symbols.
	ldflags []string
	// output is the name of the only program; empty names each after its package.
	output string
	// layout adds files to b.out.
	layout func(b *job) error
	// build takes the place of all of the above. It must leave nothing outside out and scratch.
	build func(ctx context.Context, b *job) error
}

// job is one build of a part.
type job struct {
	src     string // tools/<dir>
	out     string // becomes the cached artifact when build returns nil
	scratch string // removed afterwards
	run     func(ctx context.Context, dir string, env []string, name string, args ...string) error
	// turn waits until this part is next to compile among those that were asked for together, and done lets the one
	// after it go.
	turn func(ctx context.Context) (done func(), err error)
	// compiling is held while the part compiles.
	compiling *sync.Mutex
}

var pureGo = []string{"CGO_ENABLED=0"}

// CompileFlags are those of everything that is compiled here, our own programs included: what two of
// them share is compiled once only if it is compiled in the same way. Debug information is left out
// because linking with -w would drop it anyway; making it is a tenth of the work (measured on the docker
// provider: 326 instead of 364 CPU seconds).
var CompileFlags = []string{"-trimpath", "-gcflags=all=-dwarf=false"}

// goBuild compiles the part's programs, in three steps. Fetching the modules waits for the network, and linking
// keeps one processor busy, so both happen while other parts compile; compiling keeps all processors busy, and
// happens part after part, so that the later find the compiled packages of the earlier.
func (p Part) goBuild(ctx context.Context, b *job) error {
	src := b.src
	if p.prepare != nil {
		var err error
		if src, err = p.prepare(ctx, b); err != nil {
			return err
		}
	}
	flags := append([]string{"-mod=readonly", "-tags=" + p.Tags}, CompileFlags...)
	deps, err := dependencies(ctx, src, p)
	if err != nil {
		return err
	}
	done, err := b.turn(ctx)
	if err != nil {
		return err
	}
	b.compiling.Lock()
	err = b.run(ctx, src, pureGo, "go", slices.Concat([]string{"build", "-v"}, flags, deps)...)
	b.compiling.Unlock()
	done()
	if err != nil {
		return err
	}
	out := b.out + string(filepath.Separator)
	if p.output != "" {
		out += p.output
	}
	if p.layout != nil {
		if err := p.layout(b); err != nil {
			return err
		}
	}
	return b.run(ctx, src, pureGo, "go", slices.Concat([]string{"build", "-v"}, flags,
		[]string{"-ldflags=" + strings.Join(append([]string{"-s", "-w"}, p.ldflags...), " "), "-o", out}, p.Packages)...)
}

// dependencies are the packages that a part's programs are made of, but for the programs and Go's own packages. Listing them
// fetches their modules, and no others.
func dependencies(ctx context.Context, src string, p Part) ([]string, error) {
	text, err := outputEnv(ctx, src, pureGo, "go", slices.Concat([]string{"list", "-mod=readonly", "-tags=" + p.Tags,
		"-deps", "-f", `{{if not .Standard}}{{if ne .Name "main"}}{{.ImportPath}}{{end}}{{end}}`}, p.Packages)...)
	return strings.Fields(text), err
}

// The parts in the order in which they are built: what `terraform init` needs first.

func partDockerProvider() Part {
	const module = "github.com/terraform-providers/terraform-provider-docker"
	return providerPart("terraform-provider-docker", module, DockerProviderVersion)
}

func partGrafanaProvider() Part {
	p := providerPart("terraform-provider-grafana", grafanaProviderModule, GrafanaProviderVersion)
	p.recipe, p.prepare = "1", prepareGrafanaProvider
	return p
}

func providerPart(name, pkg, version string) Part {
	return Part{Name: name, Version: version, Dir: name, Packages: []string{pkg},
		ldflags: []string{"-X main.version=" + version}, output: name + "_v" + version}
}

// versionFlags stamp a program that uses Prometheus' common library.
func versionFlags(version string) []string {
	const common = "-X github.com/prometheus/common/version."
	return []string{common + "Version=" + version, common + "Branch=module", common + "BuildUser=lookout"}
}

// defaultScrape is the configuration inside the image, for those who run it by itself.
const defaultScrape = `scrape_configs:
  - job_name: prometheus
    static_configs:
      - targets: ["localhost:9090"]
`

func partPrometheus() Part {
	return Part{Name: "prometheus", Version: PrometheusVersion, Dir: "prometheus",
		Packages: []string{"github.com/prometheus/prometheus/cmd/prometheus", "github.com/prometheus/prometheus/cmd/promtool"},
		// One of the service discoveries depends on a module that cannot be fetched, so only
		// those that modules/prometheus offers are compiled in.
		Tags:    "netgo,remove_all_sd,enable_dns_sd,enable_moby_sd",
		ldflags: versionFlags(PrometheusVersion),
		layout: func(b *job) error {
			return WriteFile(filepath.Join(b.out, "etc/prometheus.yml"), []byte(defaultScrape), 0o644)
		}}
}

// defaultAlertmanager is the configuration inside the image, for those who run it by itself.
const defaultAlertmanager = `route:
  receiver: none
receivers:
  - name: none
`

func partAlertmanager() Part {
	return Part{Name: "alertmanager", Version: AlertmanagerVersion, Dir: "alertmanager", recipe: "2",
		Packages: []string{alertmanagerModule + "/cmd/alertmanager", alertmanagerModule + "/cmd/amtool"},
		Tags:     "netgo",
		ldflags:  versionFlags(AlertmanagerVersion),
		prepare:  prepareAlertmanager,
		layout: func(b *job) error {
			return WriteFile(filepath.Join(b.out, "etc/alertmanager.yml"), []byte(defaultAlertmanager), 0o644)
		}}
}

func partOpenTofu() Part {
	return Part{Name: "opentofu", Version: OpenTofuVersion, Dir: "opentofu",
		Packages: []string{"github.com/opentofu/opentofu/cmd/tofu"},
		ldflags:  []string{"-X github.com/opentofu/opentofu/version.dev=no"}, output: "tofu"}
}

// partRegistry is for tests alone: a registry as the engine's mirror.
func partRegistry() Part {
	return Part{Name: "registry", Version: RegistryVersion, Dir: "registry", Also: []string{"registry/main.go"},
		Packages: []string{"lookout/tools/registry"}, output: "registry"}
}

// partLint is for developers: what make lint calls. Nothing of it is in an image.
func partLint() Part {
	return Part{Name: "lint", Version: Version, Dir: "lint",
		Packages: []string{"lookout/tools/lint", "golang.org/x/tools/cmd/deadcode", "golang.org/x/vuln/cmd/govulncheck"}}
}

// Version is Lookout's own, stamped into its programs and images.
const Version = "0.1.0"

// OpenTofu is the part that replaces a missing Terraform.
func OpenTofu() Part { return partOpenTofu() }

// Parts are all that can be built.
func Parts() []Part {
	return []Part{partDockerProvider(), partPrometheus(), partAlertmanager(), partGrafanaProvider(), partOpenTofu(), partRegistry(), partExporters()}
}

// PartNamed returns the part of that name.
func PartNamed(name string) Part {
	for _, p := range Parts() {
		if p.Name == name {
			return p
		}
	}
	panic("there is not a part named " + name)
}
