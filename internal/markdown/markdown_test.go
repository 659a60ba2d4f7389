package markdown

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
)

func TestWhatOthersWroteStaysText(t *testing.T) {
	for _, s := range []string{
		"plain", "<script>alert(1)</script>", "![x](http://evil/x.png)", "[x](javascript:y)", "a | b", "**bold** _em_ `code`", "# head", "a\n\n- list", `\*`, "&amp;",
		"rate(x[5m]) > 3", "https://grafana.example/d/x", "~~gone~~",
	} {
		var b bytes.Buffer
		require.NoError(t, goldmark.New(goldmark.WithExtensions(extension.GFM)).Convert([]byte("- "+Inline(s)+"\n"), &b))
		for _, tag := range []string{"<script", "<img", "<h1", "<strong", "<em>", "<code", "<del", "javascript:y\""} {
			require.NotContains(t, b.String(), tag, s)
		}
		require.Equal(t, 1, bytes.Count(b.Bytes(), []byte("<li>")), s)
	}
}

func TestNoOneIsNotifiedByATitle(t *testing.T) {
	require.Equal(t, "@\u200ball, \\#\u200b12, \\!\u200b7", Inline("@all, #12, !7"))
	require.Equal(t, "x @ 5, a \\# b", Inline("x @ 5, a # b"), "PromQL stays what it was")
}

func TestCodeHoldsBackticks(t *testing.T) {
	require.Equal(t, "`a b`", Code("a\nb"))
	require.Equal(t, "`` a`b ``", Code("a`b"))
	require.Equal(t, "`a \\| b`", Code("a | b"), "a cell of a table ends at a bar, in code as well")
}
