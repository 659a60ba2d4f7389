package drill

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTheLastResultIsKept(t *testing.T) {
	root := t.TempDir()
	_, ok, err := Last(root, "local", "GoThreadsHigh")
	require.NoError(t, err)
	require.False(t, ok)

	first := Result{Alert: "GoThreadsHigh", Environment: "local", Engine: "prometheus", At: time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC), Verdict: Passed,
		Stages: []Stage{{Name: "scraped", Seconds: 3.5, Schedule: 10}}, Seconds: 31, Schedule: 41}
	require.NoError(t, Save(root, first))
	again, ok, err := Last(root, "local", "GoThreadsHigh")
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, first, again)

	_, ok, err = Last(root, "prod", "GoThreadsHigh")
	require.NoError(t, err)
	require.False(t, ok, "a drill in local says nothing about prod")

	// What proved nothing takes nothing's place.
	for _, verdict := range []Verdict{Skipped, Interrupted} {
		require.NoError(t, Save(root, Result{Alert: "GoThreadsHigh", Environment: "local", Verdict: verdict}))
	}
	again, _, err = Last(root, "local", "GoThreadsHigh")
	require.NoError(t, err)
	require.Equal(t, Passed, again.Verdict)
}

func TestAResultThatIsDamagedIsNamed(t *testing.T) {
	root := t.TempDir()
	name := filepath.Join(root, ".cache/drill/local/A.json")
	require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
	require.NoError(t, os.WriteFile(name, []byte("{"), 0o644))
	_, _, err := Last(root, "local", "A")
	require.ErrorContains(t, err, name)
	for _, wrong := range []string{"", "../x", "a/b", ".hidden"} {
		_, _, err = Last(root, "local", wrong)
		require.ErrorContains(t, err, "is not a name", "%q", wrong)
	}
}
