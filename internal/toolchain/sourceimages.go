package toolchain

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// A SourceImage is an image that a source of metrics needs: an exporter, or a sample of the server that is watched.
type SourceImage struct {
	// Role is its key in the platform's variable images.sources, and the repository below lookout/.
	Role string
	// Published is the image that others publish, "" for our own programs.
	Published string
	// Exporter is the program of the part exporters that it holds where none can be pulled.
	Exporter string
	// Debian are the packages that it is made of where none can be pulled.
	Debian []string
	// Package is the folder of one of our own programs.
	Package string
	// Sample says that it is a server to watch, which only the environment local runs.
	Sample bool
}

// Sources are the images of each source of metrics, by the source's name in the variable `sources`.
var Sources = map[string][]SourceImage{
	"batch": {
		{Role: "pushgateway", Published: "prom/pushgateway:v1.11.1", Exporter: "pushgateway"},
		{Role: "sample", Package: "app/sample", Sample: true},
	},
	"discovery": {{Role: "discovery", Package: "app/discovery"}},
	"host":      {{Role: "node-exporter", Published: "prom/node-exporter:v1.12.1", Exporter: "node_exporter"}},
	"jvm": {{Role: "jvm", Published: "eclipse-temurin:17-jdk", Sample: true,
		Debian: []string{"openjdk-17-jdk-headless", "dash"}}},
	"memcached": {
		{Role: "memcached-exporter", Published: "prom/memcached-exporter:v0.16.0", Exporter: "memcached_exporter"},
		{Role: "memcached", Published: "memcached:1.6", Debian: []string{"memcached", "dash"}, Sample: true},
	},
	"mysql": {
		{Role: "mysql-exporter", Published: "prom/mysqld-exporter:v0.19.0", Exporter: "mysqld_exporter"},
		{Role: "mysql", Published: "mariadb:10.11", Sample: true,
			Debian: []string{"mariadb-server-core", "mariadb-client-core", "dash", "coreutils", "sed", "grep", "hostname"}},
	},
	"postgres": {
		{Role: "postgres-exporter", Published: "quay.io/prometheuscommunity/postgres-exporter:v0.19.1", Exporter: "postgres_exporter"},
		{Role: "postgres", Published: "postgres:15", Debian: []string{"postgresql-15", "dash", "coreutils"}, Sample: true},
	},
	"probe": {
		{Role: "blackbox-exporter", Published: "prom/blackbox-exporter:v0.27.0", Exporter: "blackbox_exporter"},
		{Role: "sample", Package: "app/sample", Sample: true},
	},
	"redis": {
		{Role: "redis-exporter", Published: "oliver006/redis_exporter:v1.74.0-alpine", Exporter: "redis_exporter"},
		{Role: "redis", Published: "redis:7", Debian: []string{"redis-server", "redis-tools", "dash"}, Sample: true},
	},
}

// SourceNames are the names of all sources, sorted.
func SourceNames() []string {
	names := make([]string, 0, len(Sources))
	for name := range Sources {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// SourceImages are the images of the named sources, without samples unless they are asked for.
func SourceImages(sources []string, samples bool) []SourceImage {
	var images []SourceImage
	for _, name := range sources {
		for _, image := range Sources[name] {
			known := slices.ContainsFunc(images, func(i SourceImage) bool { return i.Role == image.Role })
			if !known && (samples || !image.Sample) {
				images = append(images, image)
			}
		}
	}
	return images
}

// sourceImage is the one of a role.
func sourceImage(role string) (SourceImage, bool) {
	for _, images := range Sources {
		for _, image := range images {
			if image.Role == role {
				return image, true
			}
		}
	}
	return SourceImage{}, false
}

// published is the image that others publish for a role, "" if there is none.
func published(role string) string {
	if image, ok := sourceImage(role); ok {
		return image.Published
	}
	return PublishedImages[role]
}

func partExporters() Part {
	return Part{Name: "exporters", Version: Version, Dir: "exporters", Tags: "netgo", Packages: []string{
		"github.com/oliver006/redis_exporter",
		"github.com/prometheus-community/postgres_exporter/cmd/postgres_exporter",
		"github.com/prometheus/blackbox_exporter",
		"github.com/prometheus/memcached_exporter/cmd/memcached_exporter",
		"github.com/prometheus/mysqld_exporter",
		"github.com/prometheus/node_exporter",
		"github.com/prometheus/pushgateway",
	}}
}

// Exporters is the part that holds all exporters.
func Exporters() Part { return partExporters() }

// FromExporter builds the image of an exporter from the folder of the part exporters.
func (b *ImageBuilder) FromExporter(ctx context.Context, image SourceImage, dir string) (string, error) {
	notices, err := b.Cache.Notices(ctx, partExporters())
	if err != nil {
		return "", err
	}
	_, version, _ := strings.Cut(image.Published, ":v")
	version, _, _ = strings.Cut(version, "-")
	return b.build(ctx, "lookout/"+image.Role, version, filepath.Join(b.Root, "tools", "exporters", "Dockerfile"), buildContext{
		"exporter":                          {from: filepath.Join(dir, image.Exporter), mode: 0o755},
		"root/licenses/THIRD_PARTY_NOTICES": {from: notices, mode: 0o644},
	})
}

// FromDebian builds the image of a server out of Debian's packages.
func (b *ImageBuilder) FromDebian(ctx context.Context, image SourceImage) (string, error) {
	root, err := b.Cache.debianRoot(ctx, image.Role, image.Debian)
	if err != nil {
		return "", fmt.Errorf("%s: %w\nName an image of it instead: %s=…", image.Role, err, Variable(image.Role))
	}
	return b.build(ctx, "lookout/"+image.Role, "debian12", filepath.Join(b.Root, "tools", "servers", "Dockerfile"), buildContext{
		"root.tar": {from: root, mode: 0o644},
		"data":     {mode: fs.ModeDir | 0o755},
		// Some servers want their user to have a name.
		"users": {mode: 0o644, data: []byte("root:x:0:0:root:/:/sbin/nologin\nserver:x:999:999:server:/:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n")},
	})
}
