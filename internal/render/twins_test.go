package render

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lookout/internal/dashboard"
	"lookout/internal/dashboard/dashtest"
)

// A classic dashboard and its V2 twin have the same picture, to the byte.
func TestTwinsHaveTheSamePicture(t *testing.T) {
	opts := Options{Now: time.Unix(1_700_000_000, 0)}
	for _, f := range dashtest.Collection(6, 10, dashtest.Metrics(6, 100)) {
		classic, err := dashboard.Load(f.Name, f.Data)
		require.NoError(t, err)
		root, _ := classic.ToV2()
		twin, err := dashboard.Load(f.Name, root.JSON())
		require.NoError(t, err)
		a, err := SVG(context.Background(), classic, opts)
		require.NoError(t, err)
		b, err := SVG(context.Background(), twin, opts)
		require.NoError(t, err)
		require.Equal(t, string(a), string(b), f.Name)
	}
}
