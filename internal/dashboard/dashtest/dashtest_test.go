package dashtest

import (
	"bytes"
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

// What is read into memory that was used before is what is read into fresh memory.
func TestReaderReadsTheSame(t *testing.T) {
	files := append(Hostile(3, 60), Collection(2, 20, Metrics(1, 50))...)
	var r dashboard.Reader
	read := 0
	for i := range 2 * len(files) {
		f := files[i*7%len(files)] // large ones after small ones and the other way round
		want, err := dashboard.Load(f.Name, f.Data)
		got, errReader := r.Load(f.Name, f.Data)
		if (err == nil) != (errReader == nil) {
			t.Fatalf("%s: %v, by the reader %v", f.Name, err, errReader)
		}
		if err != nil {
			continue
		}
		read++
		if !bytes.Equal(got.Root.JSON(), want.Root.JSON()) || len(got.Panels) != len(want.Panels) || len(got.Variables) != len(want.Variables) {
			t.Fatalf("%s is read differently", f.Name)
		}
		for k, p := range got.Panels {
			if p.Name() != want.Panels[k].Name() || p.Node.Pos() != want.Panels[k].Node.Pos() || p.Node.Pointer() != want.Panels[k].Node.Pointer() {
				t.Fatalf("%s: panel %d is read differently", f.Name, k)
			}
		}
	}
	if read < len(files) {
		t.Errorf("only %d were read", read)
	}
}

// The collection of the benchmark is as heavy as it says.
func TestHeavyIsAsHeavyAsPublicDashboards(t *testing.T) {
	size, queries := 0, 0
	for _, f := range Heavy(1, 43, Metrics(1, 200)) {
		size += len(f.Data)
		d, err := dashboard.Load(f.Name, f.Data)
		if err != nil {
			t.Fatal(err)
		}
		for range d.Queries() {
			queries++
		}
	}
	// A tenth of 426 files with 26 MB and 13,750 queries, at least.
	if size < 2_600_000 || size > 3_600_000 || queries < 1375 || queries > 1700 {
		t.Errorf("%d bytes, %d queries", size, queries)
	}
}
