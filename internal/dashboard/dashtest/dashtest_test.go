package dashtest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"lookout/internal/dashboard"
)

func TestTheSameSeedGivesTheSameBytes(t *testing.T) {
	m := Metrics(1, 100)
	require.Equal(t, Collection(1, 5, m), Collection(1, 5, Metrics(1, 100)))
	require.Equal(t, Hostile(1, 5), Hostile(1, 5))
	require.NotEqual(t, Collection(1, 1, m), Collection(2, 1, m))
}

func TestHostileDashboardsAreRead(t *testing.T) {
	panels := 0
	for _, f := range Hostile(7, 300) {
		d, err := dashboard.Load(f.Name, f.Data)
		require.NoError(t, err, f.Name)
		panels += len(d.Panels)
		once := d.Canonical()
		again, err := dashboard.Load(f.Name, once)
		require.NoError(t, err, f.Name)
		require.Equal(t, string(once), string(again.Canonical()), f.Name)
	}
	require.Greater(t, panels, 4000)
}
