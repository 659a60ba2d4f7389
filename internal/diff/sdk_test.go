package diff

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	classic "github.com/grafana/grafana-foundation-sdk/go/dashboard"
	v2 "github.com/grafana/grafana-foundation-sdk/go/dashboardv2"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"

	"lookout/internal/dashboard"
)

func build(t *testing.T, built any, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(built)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func loadNamed(t *testing.T, name string, data []byte) *dashboard.Dashboard {
	t.Helper()
	d, err := dashboard.Load(name, data)
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	return d
}

// variableQueryBuilder is a variable's query as Grafana writes it when it was a text before.
type variableQueryBuilder string

func (b variableQueryBuilder) Build() (v2.DataQueryKind, error) {
	return v2.DataQueryKind{
		Kind: "DataQuery", Group: "prometheus", Version: "v0", Datasource: &v2.Dashboardv2DataQueryKindDatasource{Name: cog.ToPtr("prom")},
		Spec: map[string]any{"__legacyStringValue": string(b)},
	}, nil
}

// The same dashboard, written twice with the builders of Grafana's own SDK: once as classic, once as V2. They write what Grafana's types say, not what we think.
func TestThePairsOfTheSDKDifferInTheSchemaOnly(t *testing.T) {
	const expr = `sum by (code) (rate(requests_total{job=~"$job"}[$__rate_interval]))`
	text := func(s string) classic.StringOrArrayOfString {
		return classic.StringOrArrayOfString{String: cog.ToPtr(s)}
	}
	text2 := func(s string) v2.StringOrArrayOfString { return v2.StringOrArrayOfString{String: cog.ToPtr(s)} }
	ref := common.DataSourceRef{Type: cog.ToPtr("prometheus"), Uid: cog.ToPtr("prom")}

	//lint:ignore SA1019 the classic form is what is compared
	old := classic.NewDashboardBuilder("Orders").Uid("orders").Description("What is ordered.").Tags([]string{"shop"}).Time("now-3h", "now").Refresh("1m").
		Timezone("browser").Tooltip(classic.DashboardCursorSyncCrosshair).Readonly().
		WithVariable(classic.NewDatasourceVariableBuilder("datasource").Type("prometheus").Current(classic.VariableOption{Text: text("Main"), Value: text("main")})).
		WithVariable(classic.NewQueryVariableBuilder("job").Label("Job").Query(classic.StringOrMap{String: cog.ToPtr("label_values(up, job)")}).Datasource(ref).
			Refresh(classic.VariableRefreshOnDashboardLoad).Sort(classic.VariableSortAlphabeticalAsc).Multi(true).IncludeAll(true).
			Current(classic.VariableOption{Text: text("shop"), Value: text("shop")})).
		WithVariable(classic.NewCustomVariableBuilder("quantile").Values(classic.StringOrMap{String: cog.ToPtr("0.5,0.9")}).Current(classic.VariableOption{Text: text("0.9"), Value: text("0.9")})).
		WithRow(classic.NewRowBuilder("Traffic").GridPos(classic.GridPos{H: 1, W: 24, X: 0, Y: 0})).
		WithPanel(timeseries.NewPanelBuilder().Id(1).Title("Requests").Description("Requests a second.").Unit("reqps").Min(0).Datasource(ref).
			GridPos(classic.GridPos{H: 8, W: 12, X: 0, Y: 1}).LineWidth(2).FillOpacity(10).Interval("15s").
			Thresholds(classic.NewThresholdsConfigBuilder().Mode(classic.ThresholdsModeAbsolute).Steps([]classic.Threshold{{Color: "green"}, {Value: cog.ToPtr(80.0), Color: "red"}})).
			WithTarget(prometheus.NewDataqueryBuilder().RefId("A").Datasource(ref).Expr(expr).LegendFormat("{{code}}").Range())).
		WithPanel(stat.NewPanelBuilder().Id(2).Title("Up").Unit("short").Datasource(ref).Transparent(true).
			GridPos(classic.GridPos{H: 8, W: 12, X: 12, Y: 1}).GraphMode(common.BigValueGraphModeNone).
			WithTarget(prometheus.NewDataqueryBuilder().RefId("A").Datasource(ref).Expr("sum(up)").Instant()))

	name := func(s string) *v2.Dashboardv2DataQueryKindDatasourceBuilder {
		return v2.NewDashboardv2DataQueryKindDatasourceBuilder().Name(s)
	}
	item := func(element string, x, y, w, h int64) *v2.GridItemBuilder {
		return v2.NewGridItemBuilder().X(x).Y(y).Width(w).Height(h).Name(element)
	}
	group := func(q cog.Builder[v2.DataQueryKind]) *v2.QueryGroupBuilder {
		return v2.NewQueryGroupBuilder().Target(v2.NewTargetBuilder().RefId("A").Hidden(false).Query(q))
	}
	now := v2.NewDashboardBuilder("Orders").Description("What is ordered.").Tags([]string{"shop"}).CursorSync(v2.DashboardCursorSyncCrosshair).Editable(false).
		TimeSettings(v2.NewTimeSettingsBuilder().From("now-3h").To("now").AutoRefresh("1m").Timezone("browser")).
		DatasourceVariable(v2.NewDatasourceVariableBuilder("datasource").PluginId("prometheus").Current(v2.VariableOption{Text: text2("Main"), Value: text2("main")})).
		QueryVariable(v2.NewQueryVariableBuilder("job").Label("Job").Query(variableQueryBuilder("label_values(up, job)")).
			Refresh(v2.VariableRefreshOnDashboardLoad).Sort(v2.VariableSortAlphabeticalAsc).Multi(true).IncludeAll(true).Current(v2.VariableOption{Text: text2("shop"), Value: text2("shop")})).
		CustomVariable(v2.NewCustomVariableBuilder("quantile").Query("0.5,0.9").Current(v2.VariableOption{Text: text2("0.9"), Value: text2("0.9")})).
		Panel("panel-1", v2.NewPanelBuilder().Id(1).Title("Requests").Description("Requests a second.").
			Data(group(prometheus.NewQueryV2Builder().Datasource(name("prom")).Expr(expr).LegendFormat("{{code}}").Range(true)).QueryOptions(v2.NewQueryOptionsSpecBuilder().Interval("15s"))).
			Visualization(timeseries.NewVisualizationV2Builder().Unit("reqps").Min(0).LineWidth(2).FillOpacity(10).
				Thresholds(v2.NewThresholdsConfigBuilder().Mode(v2.ThresholdsModeAbsolute).Steps([]v2.Threshold{{Color: "green"}, {Value: cog.ToPtr(80.0), Color: "red"}})))).
		Panel("panel-2", v2.NewPanelBuilder().Id(2).Title("Up").Transparent(true).
			Data(group(prometheus.NewQueryV2Builder().Datasource(name("prom")).Expr("sum(up)").Instant(true).Range(false))).
			Visualization(stat.NewVisualizationV2Builder().Unit("short").GraphMode(common.BigValueGraphModeNone))).
		RowsLayout(v2.NewRowsBuilder().Row(v2.NewRowBuilder().Title("Traffic").GridLayout(v2.NewGridBuilder().Item(item("panel-1", 0, 0, 12, 8)).Item(item("panel-2", 12, 0, 12, 8)))))

	oldBuilt, err := old.Build()
	before := loadNamed(t, "orders.json", build(t, oldBuilt, err))
	newBuilt, err := now.Build()
	spec := build(t, newBuilt, err)
	after := loadNamed(t, "orders.json", []byte(`{"apiVersion": "dashboard.grafana.app/v2", "kind": "Dashboard", "metadata": {"name": "orders"}, "spec": `+string(spec)+`}`))

	res := New().Dashboards(before, after)
	if len(res.Events) != 1 || !strings.HasPrefix(res.Events[0].Text, "now saved as V2") {
		t.Errorf("%s\n%s", texts(res), spec)
	}
	// What our own conversion makes of the classic one is the same to us as what the SDK wrote.
	if res := New().Dashboards(asV2(t, before), after); len(res.Events) > 0 {
		t.Errorf("our V2 and the SDK's: %s", texts(res))
	}
}
