package rules

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Inside of range and with the dot is what they go through, however the pipeline is written.
func TestTemplateLabels(t *testing.T) {
	for text, want := range map[string][]string{
		`{{ $labels.job }} {{ .Labels.instance }}`:                                                                   {"job", "instance"},
		`{{ range query "up" }}{{ .Labels.pod }}{{ end }}{{ .Labels.job }}`:                                          {"job"},
		"{{ range printf \"x{a=\\\"%s\\\"}\" $labels.a | query }}\n{{ .Labels.pod }}{{ end }}":                       {"a"},
		"{{ with printf `x{a=%q}}` .Labels.a | query }}{{ .Labels.pod }}{{ end }}{{ .Labels.b }}":                    {"a", "b"},
		`{{ if eq $labels.a "}}" }}{{ .Labels.b }}{{ else }}{{ .Labels.c }}{{ end }}`:                                {"a", "b", "c"},
		`{{ range query "up" }}{{ if .Value }}{{ .Labels.pod }}{{ end }}{{ .Labels.pod }}{{ $labels.job }}{{ end }}`: {"job"},
	} {
		got := []string{}
		for _, l := range TemplateLabels(text) {
			got = append(got, l.Name)
		}
		require.ElementsMatch(t, want, got, text)
	}
}
