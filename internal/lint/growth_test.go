package lint

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lookout/internal/dashboard"
	"lookout/internal/finding"
	"lookout/internal/promql"
)

// oneLine is a dashboard of n panels without a line break, each with a finding.
func oneLine(n int) []byte {
	var b strings.Builder
	b.WriteString(`{"title": "T", "uid": "t", "panels": [`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id": %d, "type": "stat", "title": "é %d", "gridPos": {"x": %d, "y": %d, "w": 12, "h": 8}, "targets": [{"refId": "A", "expr": "sum(x%d_total)"}]}`, i, i, i%2*12, i/2*8, i)
	}
	b.WriteString(`]}`)
	return []byte(b.String())
}

func sum(terms int) []byte {
	var b strings.Builder
	for i := range terms {
		if i > 0 {
			b.WriteString(" + ")
		}
		fmt.Fprintf(&b, "x%d_total", i)
	}
	return []byte(`{"title": "T", "panels": [{"type": "stat", "title": "A", "targets": [{"refId": "A", "expr": "` + b.String() + `"}]}]}`)
}

// nested are queries that grow in other ways.
func nested(kind string, n int) []byte {
	q := map[string]string{
		"brackets": strings.Repeat("(", n) + "up" + strings.Repeat(")", n),
		"signs":    strings.Repeat("- ", n) + "up",
		"matchers": `up{` + strings.Repeat(`a=\"b\",`, n) + `}`,
	}[kind]
	return []byte(`{"title": "T", "panels": [{"type": "stat", "title": "A", "targets": [{"refId": "A", "expr": "` + q + `"}]}]}`)
}

func lintBytes(tb testing.TB, data []byte) finding.Result {
	tb.Helper()
	d, err := dashboard.Load("d.json", data)
	require.NoError(tb, err)
	l := New(DefaultConfig(), promql.NewParser())
	l.Dashboard(d, nil)
	return l.Result()
}

// BenchmarkGrowth shows that the time for one panel, or one term, is the same however many there are:
//
//	go test ./internal/lint -run '^$' -bench Growth
func BenchmarkGrowth(b *testing.B) {
	for _, n := range []int{1000, 2000, 4000, 8000} {
		data := oneLine(n)
		b.Run(fmt.Sprintf("panels-on-one-line/%d", n), func(b *testing.B) {
			for b.Loop() {
				lintBytes(b, data)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(n), "µs/panel")
		})
	}
	for _, kind := range []string{"brackets", "signs", "matchers"} {
		for _, n := range []int{400, 4000, 12000} {
			data := nested(kind, n)
			b.Run(fmt.Sprintf("%s/%d", kind, n), func(b *testing.B) {
				for b.Loop() {
					lintBytes(b, data)
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(n), "µs/level")
			})
		}
	}
	for _, n := range []int{125, 250, 500, 20000} {
		data := sum(n)
		b.Run(fmt.Sprintf("terms-of-a-sum/%d", n), func(b *testing.B) {
			for b.Loop() {
				lintBytes(b, data)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(n), "µs/term")
		})
	}
}

// What nests too deep is refused before Prometheus' parser sees it: that takes the square of the depth.
func TestDeepQueriesAreRefused(t *testing.T) {
	for kind, want := range map[string]string{"brackets": "nests", "signs": "nests", "matchers": ""} {
		said := ""
		for _, f := range lintBytes(t, nested(kind, 12000)).Findings {
			if f.Rule == "promql-syntax" {
				said = f.Message
			}
		}
		if want == "" {
			require.Empty(t, said, kind)
		}
		require.Contains(t, said, want, kind)
	}
	// A long query that only has many brackets is fine.
	require.NotContains(t, fmt.Sprint(lintBytes(t, []byte(`{"title": "T", "panels": [{"type": "stat", "title": "A", "targets": [{"refId": "A", "expr": "sum(`+strings.Repeat(`(rate(a_total{x=\"((((\"}[5m])) + `, 100)+`up)"}]}]}`))), "nests")
}

func TestColumnsOnLongLinesAreRight(t *testing.T) {
	data := oneLine(300)
	n := 0
	for _, f := range lintBytes(t, data).Findings {
		if f.Rule == "panel-unit" {
			n++
			require.True(t, strings.HasPrefix(string([]rune(string(data))[f.Column-1:]), `{"id": `), "%v", f)
		}
	}
	require.Equal(t, 300, n)
}

func TestAQueryThatIsTooLargeIsAnErrorThatSaysSo(t *testing.T) {
	for terms, want := range map[int]string{2000: "nests 2000 levels deep; the most that is looked at is 500", 20000: "bytes; the most that is looked at is 131072"} {
		var found []string
		for _, f := range lintBytes(t, sum(terms)).Findings {
			if f.Rule == "promql-syntax" {
				found = append(found, f.Message)
			}
		}
		require.Len(t, found, 1)
		require.Contains(t, found[0], want)
	}
}
