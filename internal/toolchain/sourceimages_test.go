package toolchain

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// An exporter that is built is the version that would have been pulled.
func TestExportersAreTheVersionsThatArePublished(t *testing.T) {
	mod, err := os.ReadFile("../../tools/exporters/go.mod")
	require.NoError(t, err)
	exporters := 0
	for source, images := range Sources {
		for _, image := range images {
			if image.Exporter == "" {
				continue
			}
			exporters++
			pinned := regexp.MustCompile(`(?m)^\s*(?:require )?github\.com/\S+/` + image.Exporter + ` (v\S+)`).FindSubmatch(mod)
			require.NotNil(t, pinned, "%s: tools/exporters does not require %s", source, image.Exporter)
			_, tag, _ := strings.Cut(image.Published, ":")
			require.Equal(t, string(pinned[1]), strings.TrimSuffix(tag, "-alpine"), image.Published)
		}
	}
	require.Len(t, partExporters().Packages, exporters)
}

func TestImagesOfSources(t *testing.T) {
	roles := func(images []SourceImage) (names []string) {
		for _, i := range images {
			names = append(names, i.Role)
		}
		return names
	}
	require.Equal(t, []string{"redis-exporter"}, roles(SourceImages([]string{"redis"}, false)))
	require.Equal(t, []string{"redis-exporter", "redis"}, roles(SourceImages([]string{"redis"}, true)))
	// What two sources need is one image.
	require.Equal(t, []string{"pushgateway", "sample", "blackbox-exporter"}, roles(SourceImages([]string{"batch", "probe"}, true)))
	require.Empty(t, SourceImages(nil, true))
}

func TestSourcesAreLookedForOnlyWhenTheyAreAskedFor(t *testing.T) {
	hub := &store{registry: images("prom/node-exporter:v1.12.1")}
	o := &Origins{Mode: Auto, Images: map[string]Choice{}, Providers: map[string]Choice{}}
	require.NoError(t, o.ChooseImages(t.Context(), Wanted{}, hub))
	require.Equal(t, Absent, o.Image("node-exporter").From)
	require.NotContains(t, hub.pulls, "prom/node-exporter:v1.12.1")

	w := Wanted{Sources: SourceImages([]string{"host", "redis"}, true), Images: map[string]string{}}
	require.NoError(t, o.ChooseImages(t.Context(), w, hub))
	require.Equal(t, Choice{Image: "prom/node-exporter:v1.12.1", From: Pulled}, o.Image("node-exporter"))
	require.Equal(t, Built, o.Image("redis-exporter").From)
	require.Equal(t, Built, o.Image("redis").From)
}

func TestASourcesImageCanBeNamed(t *testing.T) {
	w := WantedImages(func(name string) string {
		return map[string]string{"REDIS_EXPORTER_IMAGE": "registry.example.com/redis_exporter:1"}[name]
	})
	require.Equal(t, map[string]string{"redis-exporter": "registry.example.com/redis_exporter:1"}, w.Images)
}
