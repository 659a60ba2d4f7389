package diff

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"lookout/internal/dashboard"
)

// What looks the same is told apart.
func TestTextsThatLookTheSame(t *testing.T) {
	load := func(title, description string) *dashboard.Dashboard {
		data, err := json.Marshal(map[string]any{"uid": "t", "title": "T", "panels": []any{
			map[string]any{"id": 1, "type": "stat", "title": title, "description": description, "targets": []any{map[string]any{"refId": "A", "expr": "up"}}},
		}})
		require.NoError(t, err)
		d, err := dashboard.Load("d.json", data)
		require.NoError(t, err)
		return d
	}
	for _, c := range []struct{ before, after, want string }{
		{"Caf\u00e9", "Cafe\u0301", `retitled "Café" → "Cafe\u0301"`},
		{"A B", "A\u00a0B", `retitled "A B" → "A\u00a0B"`},
		{"AB", "A\u200bB", `retitled "AB" → "A\u200bB"`},
		{"10 \u2126", "10 \u03a9", `retitled "10 \u2126" → "10 \u03a9"`},
		{"内存", "内存 ", `retitled "内存" → "内存␣"`},
		{"A", "B", `retitled A → B`},
	} {
		r := New().Dashboards(load(c.before, "x"), load(c.after, "x"))
		require.Len(t, r.Events, 1, c.want)
		require.Contains(t, r.Events[0].Text, c.want)
	}
	r := New().Dashboards(load("A", "Caf\u00e9 au lait"), load("A", "Cafe\u0301 au lait"))
	require.Len(t, r.Events, 1)
	require.Contains(t, r.Events[0].Text, `"Café au lait" → "Cafe\u0301 au lait"`)
}
