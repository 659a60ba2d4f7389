package shipped

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhatIsListedIsLookoutsOwn(t *testing.T) {
	require.NotEmpty(t, Files())
	for _, file := range Files() {
		require.True(t, Has(file))
		require.NotContains(t, file, ".test.yaml", "unit tests go with their file")
		require.Contains(t, []string{".yaml", ".json"}, filepath.Ext(file))
	}
	require.True(t, Has("alerts/delivery.test.yaml"))
	require.False(t, Has("alerts/yours.yaml"))
	require.False(t, Has("alerts/yours.test.yaml"))
}

const settings = `# Kept as it is.
intervals:
  service: 20s
  yours: 10s
overrides:
  # About the next.
  GoThreadsHigh: {threshold: 16}
  Yours: {pending: 10s}
`

func TestSettingsOfYourAlertsAreLeftOut(t *testing.T) {
	names := map[string]bool{"service": true, "GoThreadsHigh": true}
	out, err := Settings([]byte(settings), names)
	require.NoError(t, err)
	require.Equal(t, `# Kept as it is.
intervals:
  service: 20s
overrides:
  # About the next.
  GoThreadsHigh: {threshold: 16}
`, string(out))
	same := []byte("intervals:\n    service:   20s\n")
	out, err = Settings(same, names)
	require.NoError(t, err)
	require.Equal(t, string(same), string(out), "what needs no change keeps its form")
}
