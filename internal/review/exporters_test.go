package review

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lookout/internal/lint"
)

// TestMain lets this program be the exporter that its own tests start: it exposes one metric more with each of the first questions.
func TestMain(m *testing.M) {
	port := os.Getenv("LOOKOUT_TEST_EXPORTER")
	if port == "" {
		os.Exit(m.Run())
	}
	asked := 0
	err := http.ListenAndServe(net.JoinHostPort("127.0.0.1", port), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		for i := range min(asked, 3) {
			fmt.Fprintf(w, "# TYPE m%d gauge\nm%d{a=\"b\"} 1\n", i, i)
		}
	}))
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func TestAnExporterIsAskedUntilNothingMoreComes(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	run := fmt.Sprintf("LOOKOUT_TEST_EXPORTER={port} exec %q -test.run=none", self)
	files, remove, err := runExporters(t.Context(), []lint.Exporter{{Run: run, Until: []string{"m0", "m1"}}}, http.DefaultClient)
	require.NoError(t, err)
	data, err := os.ReadFile(files[0])
	require.NoError(t, err)
	require.Equal(t, []string{"m0", "m1", "m2"}, names(data))
	remove()
	require.NoDirExists(t, filepath.Dir(files[0]))
}

func TestAnExporterThatNeverExposesWhatIsWaitedFor(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	run := fmt.Sprintf("LOOKOUT_TEST_EXPORTER={port} exec %q -test.run=none", self)
	_, _, err = runExporters(ctx, []lint.Exporter{{Run: run, Until: []string{"other"}}}, http.DefaultClient)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}
