package environment

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"lookout/internal/toolchain"
)

// literalSources matches a literal list of sources among a root's values.
var literalSources = regexp.MustCompile(`(?m)^\s*sources\s*=\s*\[([^\]]*)\]`)

// ChooseSources keeps which sources of metrics this checkout's stack has besides the sample service: names separated by
// commas or spaces, "all", or "none". The list takes the place of the one in the environment's files.
func (e *Environment) ChooseSources(list string) error {
	names := strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
	switch {
	case slices.Equal(names, []string{"all"}):
		names = toolchain.SourceNames()
	case slices.Equal(names, []string{"none"}):
		names = []string{}
	}
	if err := knownSources(names); err != nil {
		return fmt.Errorf("SOURCES=%q: %w", list, err)
	}
	slices.Sort(names)
	return e.writeVars("platform", "sources", 0o644, map[string]any{"sources": slices.Compact(names)})
}

func knownSources(names []string) error {
	for _, name := range names {
		if toolchain.Sources[name] == nil {
			return fmt.Errorf("%q is not a known source of metrics: use all, none, or some of %s", name, strings.Join(toolchain.SourceNames(), ", "))
		}
	}
	return nil
}

// sources are the names of the sources of metrics that the environment has: those that SOURCES chose, or else those that its
// files list literally.
func (e *Environment) sources() ([]string, error) {
	var chosen struct {
		Sources []string `json:"sources"`
	}
	err := e.readVars("platform", "sources", &chosen)
	if err == nil {
		if err := knownSources(chosen.Sources); err != nil {
			return nil, fmt.Errorf("%s: %w", e.varsPath("platform", "sources"), err)
		}
		return chosen.Sources, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, pattern := range []string{"*.auto.tfvars", "terraform.tfvars", "main.tf"} {
		files, err := filepath.Glob(filepath.Join(e.root("platform"), pattern))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			if found := literalSources.FindSubmatch(data); found != nil {
				names := strings.FieldsFunc(string(found[1]), func(r rune) bool { return strings.ContainsRune(", \t\n\"", r) })
				if err := knownSources(names); err != nil {
					return nil, fmt.Errorf("%s: %w", file, err)
				}
				return names, nil
			}
		}
	}
	return nil, nil
}

// sourceImages makes or finds the images of the sources of metrics.
func (s *setup) sourceImages(ctx context.Context, b *toolchain.ImageBuilder, set func(role, image string)) error {
	if len(s.wanted.Sources) == 0 {
		return nil
	}
	images := map[string]toolchain.SourceImage{}
	var roles []string
	var exporters string
	for _, image := range s.wanted.Sources {
		roles = append(roles, image.Role)
		images[image.Role] = image
		if image.Exporter != "" && s.origins.Image(image.Role).Image == "" && exporters == "" {
			var err error
			if exporters, err = s.part(ctx, toolchain.Exporters().Name); err != nil {
				return err
			}
		}
	}
	if err := s.dockerGroup(); err != nil {
		return err
	}
	var parts []string
	if exporters != "" {
		parts = []string{exporters}
	}
	return s.build(ctx, b, "sources", parts, roles, func(ctx context.Context, role string) (string, error) {
		switch image := images[role]; {
		case image.Exporter != "":
			return b.FromExporter(ctx, image, exporters)
		case image.Package != "":
			return b.FromProgram(ctx, toolchain.Program{Role: role, Package: image.Package}, toolchain.Version)
		default:
			return b.FromDebian(ctx, image)
		}
	}, set)
}

// SourceSecrets fills a local environment's folder of the sources' secrets, once: a folder for each source, as its module takes it. The
// programs run as users of their images and may not be given files by whoever runs `make init`, so everybody on
// this machine can read them; they open nothing but samples.
func SourceSecrets(dir string) error {
	redis, mysql, postgres := hexSecret(), hexSecret(), hexSecret()
	for _, source := range []struct {
		name  string
		files [][2]string // the last one says that all of them are there
	}{
		{"redis", [][2]string{{"password", redis}, {"passwords.json", fmt.Sprintf("{\"redis://lookout@redis:6379\": %q}\n", redis)}}},
		{"mysql", [][2]string{{"password", mysql}, {"my.cnf", "[client]\nuser = lookout\npassword = " + mysql + "\n"}}},
		{"postgres", [][2]string{{"password", postgres}}},
	} {
		folder := filepath.Join(dir, source.name)
		last := filepath.Join(folder, source.files[len(source.files)-1][0])
		if exists(last) {
			continue
		}
		for _, file := range source.files {
			if err := toolchain.WriteFile(filepath.Join(folder, file[0]), []byte(file[1]), 0o644); err != nil {
				return err
			}
		}
		// Whatever the umask is, since an engine's user has to get in.
		for _, d := range []string{dir, folder} {
			if err := os.Chmod(d, 0o755); err != nil {
				return err
			}
		}
	}
	return nil
}

// dockerGroup notes for local which group may use the engine's socket, which the source "discovery" reads.
func (s *setup) dockerGroup() error {
	info, err := os.Stat("/var/run/docker.sock")
	if err != nil || s.e.Name != Local {
		// Another engine than this machine's: its group is for the environment's files to say.
		return nil
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return s.e.writeVars("platform", "docker", 0o644, map[string]any{"docker_socket_group": owner.Gid})
}
