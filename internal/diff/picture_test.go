package diff

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lookout/internal/dashboard"
	"lookout/internal/render"
)

// pictured makes panels of "title expr y", one below the other.
func pictured(t *testing.T, panels ...string) *dashboard.Dashboard {
	t.Helper()
	var list []string
	for i, p := range panels {
		var title, expr string
		y := 0
		_, err := fmt.Sscan(p, &title, &expr, &y)
		require.NoError(t, err)
		list = append(list, fmt.Sprintf(`{"id": %d, "type": "stat", "title": %q, "gridPos": {"x": 0, "y": %d, "w": 24, "h": 30}, "repeat": "job", "targets": [{"refId": "A", "expr": %q}]}`, i+1, title, y, expr))
	}
	d, err := dashboard.Load("d.json", []byte(`{"title": "D", "uid": "d", "templating": {"list": [{"name": "job", "type": "custom", "query": "a,b,c", "current": {"value": ["a", "b"]}}]}, "panels": [`+strings.Join(list, ",")+`]}`))
	require.NoError(t, err)
	return d
}

func picture(t *testing.T, before, after *dashboard.Dashboard) string {
	t.Helper()
	res := New().Dashboards(before, after)
	svg, err := Changed(t.Context(), Pair{File: "d.json", Before: before, After: after}, res.Events, render.Options{Theme: render.Light, Now: time.Unix(1_700_000_000, 0)}, false)
	require.NoError(t, err)
	return string(svg)
}

func TestAPictureShowsChangedPanelsBeforeAndAfter(t *testing.T) {
	before := pictured(t, "Same up 0", "Edited one 30", "Gone two 60")
	after := pictured(t, "Same up 0", "Edited three 30", "New four 60")
	svg := picture(t, before, after)
	require.Contains(t, svg, `width="900"`, "as wide as a comment")
	for _, want := range []string{">Edited<", ">one<", ">three<", ">Gone<", ">New<", ">before<", ">after<", ">removed<", ">added<"} {
		require.Contains(t, svg, want)
	}
	require.NotContains(t, svg, ">Same<")
	require.Equal(t, 2, strings.Count(svg, ">Edited<"), "a repeated panel is shown once for each side")
}

func TestWhatOnlyMovedHasNoPicture(t *testing.T) {
	require.Empty(t, picture(t, pictured(t, "A up 0", "B down 30"), pictured(t, "A up 30", "B down 0")))
	require.Empty(t, picture(t, pictured(t, "A up 0"), pictured(t, "A up 0")))
}

func TestAPictureOfManyPanelsSaysHowManyAreLeftOut(t *testing.T) {
	var before, after []string
	for i := range mostChanged + 5 {
		before = append(before, fmt.Sprintf("P%d m%d %d", i, i, 30*i))
		after = append(after, fmt.Sprintf("P%d rate(m%d[5m]) %d", i, i, 30*i))
	}
	svg := picture(t, pictured(t, before...), pictured(t, after...))
	require.Contains(t, svg, fmt.Sprintf("D (%d of %d panels)", mostChanged, mostChanged+5))
	require.Equal(t, mostChanged, strings.Count(svg, ">after<"))
}
