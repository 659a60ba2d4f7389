package toolchain

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"

	"lookout/internal/docker"
)

// Images are the names that a platform is given, by role.
type Images struct {
	Alertmanager string `json:"alertmanager"`
	Console      string `json:"console"`
	Exporter     string `json:"exporter"`
	// Grafana is nil where there is no Grafana.
	Grafana    *string `json:"grafana"`
	Prometheus string  `json:"prometheus"`
	Relay      string  `json:"relay"`
	Robot      string  `json:"robot"`
	// Sources are those of the sources of metrics that were asked for, by role: see Sources.
	Sources map[string]string `json:"sources,omitempty"`
}

// PublishedImages are the names of the images that others publish, by role.
var PublishedImages = map[string]string{
	"alertmanager": "prom/alertmanager:v" + AlertmanagerVersion,
	"grafana":      "grafana/grafana:13.2.3",
	"prometheus":   "prom/prometheus:v" + PrometheusVersion,
}

// A Program is one of our own, each the image of a container.
type Program struct {
	// Role is the field of Images, and the repository below lookout/.
	Role string
	// Package is its folder in this repository, which holds its Dockerfile.
	Package string
}

// Programs are all of our own.
var Programs = []Program{
	{"console", "cmd/lookout"},
	{"exporter", "app/exporter"},
	{"relay", "app/relay"},
	{"robot", "app/robot"},
}

// Set gives a role its image.
func (i *Images) Set(role, image string) {
	switch role {
	case "alertmanager":
		i.Alertmanager = image
	case "console":
		i.Console = image
	case "exporter":
		i.Exporter = image
	case "grafana":
		i.Grafana = &image
	case "prometheus":
		i.Prometheus = image
	case "relay":
		i.Relay = image
	case "robot":
		i.Robot = image
	default:
		if _, ok := sourceImage(role); !ok {
			panic("no image has the role " + role)
		}
		if i.Sources == nil {
			i.Sources = map[string]string{}
		}
		i.Sources[role] = image
	}
}

// caBundles are where distributions keep the certificates that outgoing TLS is checked with.
var caBundles = []string{
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/cert.pem",
}

// buildContext is the content of an image before it is built: path in the context → file.
type buildContext map[string]contextFile

type contextFile struct {
	from string // a file on this machine, or
	data []byte
	mode fs.FileMode // with fs.ModeDir for an empty folder
}

// ImageBuilder builds images out of finished programs. An image's tag is the hash of its content, so
// the same content is never built twice and a new one never hides behind an old name.
type ImageBuilder struct {
	Root  string // the repository
	Cache *Cache

	probe     func() (string, error)
	probeOnce sync.Once
}

// FromPart builds the image of a part from its cached folder and the Dockerfile next to its go.mod.
func (b *ImageBuilder) FromPart(ctx context.Context, p Part, dir string) (string, error) {
	files := buildContext{}
	if err := files.addTree(dir, ""); err != nil {
		return "", err
	}
	delete(files, ".complete")
	files["data"] = contextFile{mode: fs.ModeDir | 0o755}
	notices, err := b.Cache.Notices(ctx, p)
	if err != nil {
		return "", err
	}
	files["root/licenses/THIRD_PARTY_NOTICES"] = contextFile{from: notices, mode: 0o644}
	return b.build(ctx, "lookout/"+p.Name, p.Version, filepath.Join(b.Root, "tools", p.Dir, "Dockerfile"), files)
}

// FromProgram compiles one of our own programs and builds its image.
func (b *ImageBuilder) FromProgram(ctx context.Context, p Program, version string) (string, error) {
	program, err := b.Program(ctx, p.Package, version, "")
	if err != nil {
		return "", err
	}
	files, err := b.own(ctx, p, program)
	if err != nil {
		return "", err
	}
	return b.build(ctx, "lookout/"+p.Role, version, filepath.Join(b.Root, p.Package, "Dockerfile"), files)
}

// own is what the image of one of our own programs holds of its own.
func (b *ImageBuilder) own(ctx context.Context, p Program, program string) (buildContext, error) {
	notices, err := b.Cache.OwnNotices(ctx, b.Root, p.Role, false, "./"+p.Package)
	if err != nil {
		return nil, err
	}
	return buildContext{filepath.Base(p.Package): {from: program, mode: 0o755}, "data": {mode: fs.ModeDir | 0o755},
		"root/licenses/THIRD_PARTY_NOTICES": {from: notices, mode: 0o644}}, nil
}

// Program compiles one of our own programs (cmd/lookout), stamped with a version, for an architecture as Go names it ("" is that of this
// machine), and returns the file.
func (b *ImageBuilder) Program(ctx context.Context, pkg, version, arch string) (string, error) {
	return b.compile(ctx, pkg, fmt.Sprintf(" -X main.version=%s -X main.revision=%s", version, b.revision(ctx, pkg)), arch)
}

// WriteContext writes the build context of a program's image for an architecture as a tar archive, with the Dockerfile, for docker buildx build -.
// The same sources make the same bytes on machines with the same CA certificates.
func (b *ImageBuilder) WriteContext(ctx context.Context, w io.Writer, p Program, version, arch string) error {
	program, err := b.Program(ctx, p.Package, version, arch)
	if err != nil {
		return err
	}
	files, err := b.own(ctx, p, program)
	if err != nil {
		return err
	}
	probe, err := b.compile(ctx, "cmd/probe", "", arch)
	if err != nil {
		return err
	}
	if err := b.common(ctx, files, probe, filepath.Join(b.Root, p.Package, "Dockerfile")); err != nil {
		return err
	}
	return files.tar(w)
}

// revision is the last commit that touched one of the packages that a program is made of; other commits must
// not change its image.
func (b *ImageBuilder) revision(ctx context.Context, program string) string {
	dirs, err := output(ctx, b.Root, "go", "list", "-deps",
		"-f", `{{with .Module}}{{if .Main}}{{$.Dir}}{{end}}{{end}}`, "./"+program)
	if err != nil {
		return "unknown"
	}
	args := append([]string{"log", "-1", "--format=%h", "--abbrev=12", "--", "go.mod"}, strings.Fields(dirs)...)
	out, err := output(ctx, b.Root, "git", args...)
	if err != nil || out == "" {
		return "unknown"
	}
	return out
}

// compile makes a static program of this repository and returns the file, which stays: Go does not link
// again what has not changed. Stamp is what the linker is given besides the flags that leave out symbols; arch is empty for this machine's.
func (b *ImageBuilder) compile(ctx context.Context, program, stamp, arch string) (string, error) {
	file := filepath.Join(b.Root, ".cache", "image", arch, filepath.Base(program))
	env := buildEnv(pureGo)
	if arch != "" {
		env = append(env, "GOOS=linux", "GOARCH="+arch)
	}
	cmd := exec.CommandContext(ctx, "go", slices.Concat([]string{"build"}, CompileFlags, []string{
		"-ldflags", "-s -w" + stamp, "-o", file, "./" + program,
	})...)
	cmd.Dir = b.Root
	cmd.Env = env
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("compiling %s: %w\n%s", program, err, strings.TrimSpace(string(out)))
	}
	return file, nil
}

// build adds what every image gets and builds it, unless the engine holds it already.
func (b *ImageBuilder) build(ctx context.Context, repository, version, dockerfile string, files buildContext) (string, error) {
	// Its health check: there is no shell in it that could ask.
	b.probeOnce.Do(func() {
		b.probe = sync.OnceValues(func() (string, error) { return b.compile(ctx, "cmd/probe", "", "") })
	})
	probe, err := b.probe()
	if err != nil {
		return "", err
	}
	if err := b.common(ctx, files, probe, dockerfile); err != nil {
		return "", err
	}
	key, err := files.hash()
	if err != nil {
		return "", err
	}
	image := repository + ":" + version + "-" + key
	if docker.HasImage(ctx, image) {
		return image, nil
	}
	pr, pw := io.Pipe()
	defer pr.Close()
	go func() { pw.CloseWithError(files.tar(pw)) }()
	labels := map[string]string{"org.opencontainers.image.version": version, "lookout.content": key}
	if err := docker.Build(ctx, image, labels, pr); err != nil {
		return "", fmt.Errorf("building the image %s: %w", image, err)
	}
	return image, nil
}

// common adds what every image gets.
func (b *ImageBuilder) common(ctx context.Context, files buildContext, probe, dockerfile string) error {
	bundle, err := caBundle()
	if err != nil {
		return err
	}
	files["probe"] = contextFile{from: probe, mode: 0o755}
	notices, err := b.Cache.OwnNotices(ctx, b.Root, "probe", false, "./cmd/probe")
	if err != nil {
		return err
	}
	files["root/licenses/THIRD_PARTY_NOTICES.probe"] = contextFile{from: notices, mode: 0o644}
	files["root/licenses/LICENSE"] = contextFile{from: filepath.Join(b.Root, "LICENSE"), mode: 0o644}
	// The engine mounts a tmpfs with the mode that the folder below it has. Where there is none it makes one for root
	// alone, so that from the second start on no other user could write there.
	files["root/tmp"] = contextFile{mode: fs.ModeDir | fs.ModeSticky | 0o777}
	files["ca-certificates.crt"] = contextFile{from: bundle, mode: 0o644}
	files["passwd"] = contextFile{mode: 0o644, data: []byte(
		"root:x:0:0:root:/:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n")}
	files["Dockerfile"] = contextFile{from: dockerfile, mode: 0o644}
	return nil
}

// Engine is the Docker Engine, which holds images and pulls them.
type Engine struct{}

// HasImage reports whether the engine holds an image under a name.
func (Engine) HasImage(ctx context.Context, image string) bool { return docker.HasImage(ctx, image) }

// Pull fetches an image, by way of the engine's own mirrors, proxies and logins, with a limit of time.
func (Engine) Pull(ctx context.Context, image string) error { return docker.Pull(ctx, image) }

func caBundle() (string, error) {
	for _, file := range caBundles {
		if _, err := os.Stat(file); err == nil {
			return file, nil
		}
	}
	return "", errors.New("no bundle of CA certificates on this machine: install the package ca-certificates")
}

func (c buildContext) addTree(dir, prefix string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil || rel == "." {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if entry.IsDir() {
			c[filepath.Join(prefix, rel)] = contextFile{mode: fs.ModeDir | info.Mode().Perm()}
			return nil
		}
		c[filepath.Join(prefix, rel)] = contextFile{from: path, mode: info.Mode().Perm()}
		return nil
	})
}

func (c buildContext) names() []string {
	names := make([]string, 0, len(c))
	for name := range c {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func (f contextFile) content() ([]byte, error) {
	if f.from != "" {
		return os.ReadFile(f.from)
	}
	return f.data, nil
}

func (c buildContext) hash() (string, error) {
	sum := sha256.New()
	for _, name := range c.names() {
		data, err := c[name].content()
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%s %v %d\n", name, c[name].mode, len(data))
		sum.Write(data)
	}
	return hex.EncodeToString(sum.Sum(nil))[:12], nil
}

func (c buildContext) tar(w io.Writer) error {
	tw := tar.NewWriter(w)
	for _, name := range c.names() {
		f := c[name]
		data, err := f.content()
		if err != nil {
			return err
		}
		h := &tar.Header{Name: name, Mode: int64(f.mode.Perm()), Size: int64(len(data)), Typeflag: tar.TypeReg}
		if f.mode&fs.ModeSticky != 0 {
			h.Mode |= 0o1000 // as tar has it
		}
		if f.mode.IsDir() {
			h.Typeflag, h.Name = tar.TypeDir, name+"/"
		}
		if err := tw.WriteHeader(h); err != nil {
			return err
		}
		if _, err := tw.Write(data); err != nil {
			return err
		}
	}
	return tw.Close()
}
