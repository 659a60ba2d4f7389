package lint

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"lookout/internal/dashboard"
	"lookout/internal/finding"
	"lookout/internal/promql"
)

func TestDashboardsOfOneUID(t *testing.T) {
	for _, c := range []struct {
		name string
		// files are paths and titles, by turns.
		files []string
		want  finding.Severity
	}{
		{"two dashboards", []string{"a/x.json", "One", "b/x.json", "Two"}, finding.Error},
		{"one in two places", []string{"chart/x.json", "One", "docs/x.json", "One"}, finding.Info},
		{"a copy next to it", []string{"a/x.json", "One", "a/x-copy.json", "One"}, finding.Error},
		{"both applied", []string{"../../dashboards/a/x.json", "One", "../../dashboards/b/x.json", "One"}, finding.Error},
		{"one applied", []string{"../../dashboards/a/x.json", "One", "vendor/x.json", "One"}, finding.Info},
	} {
		l := New(DefaultConfig(), promql.NewParser())
		for i := 0; i < len(c.files); i += 2 {
			d, err := dashboard.Load(c.files[i], fmt.Appendf(nil, `{"uid": "same", "title": %q, "panels": []}`, c.files[i+1]))
			require.NoError(t, err)
			l.Dashboard(d, nil)
		}
		n := 0
		for _, f := range l.Result().Findings {
			if f.Rule == duplicateUIDID {
				n++
				require.Equal(t, c.want, f.Severity, c.name)
			}
		}
		require.Equal(t, 2, n, c.name)
	}
}
