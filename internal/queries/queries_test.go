package queries

import (
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"

	"lookout/internal/dashboard"
	"lookout/internal/promql"
)

func TestSelectorsKnowWhatTheyStandIn(t *testing.T) {
	q := ForAlert("A", `sum(rate(x{a="b"}[5m])) / y + {__name__=~"z.*"}`, promql.NewParser(), func(int) dashboard.Position { return dashboard.Position{} })
	s := q.Selectors()
	require.Len(t, s, 3)
	require.Equal(t, "x", s[0].Metric)
	require.NotNil(t, s[0].Range())
	require.Equal(t, "rate", s[0].Parent().(*parser.Call).Func.Name)
	require.Nil(t, s[1].Range())
	require.IsType(t, &parser.BinaryExpr{}, s[1].Parent())
	require.Equal(t, "z.*", s[2].Name.Value)
	require.Empty(t, s[2].Metric)
}

func TestLokiIsNotParsedAsPromQL(t *testing.T) {
	d, err := dashboard.Load("d.json", []byte(`{"title": "T", "panels": [{"datasource": {"type": "loki"}, "targets": [{"expr": "{a=\"b\"}"}]}, {"datasource": {"type": "mysql"}, "targets": [{"expr": "select"}]}, {"targets": [{"expr": "up"}]},
	 {"datasource": {"type": "victoriametrics-datasource"}, "targets": [{"expr": "rate(x)"}]}]}`))
	require.NoError(t, err)
	qs := Of(d, promql.NewParser())
	require.Len(t, qs, 3)
	require.Equal(t, []promql.Language{promql.LogQL, promql.PromQL, promql.MetricsQL}, []promql.Language{qs[0].Language, qs[1].Language, qs[2].Language})
	require.Nil(t, qs[2].Err)
}
