package diff

import (
	"slices"
	"strings"

	"lookout/internal/dashboard"
)

// Grafana's editor writes its defaults out when a dashboard is saved, and older or other writers leave them out. Both say the same. The tables hold what
// Grafana assumes for a member that is not there, as compact JSON; several values where it depends on the kind of panel or on the version.
// Sources: the option builders of the core panel plugins and the defaults of Grafana's DashboardModel, PanelModel and VariableModel.

var dashboardDefaults = map[string][]string{
	"editable": {"true"}, "fiscalYearStartMonth": {"0"}, "graphTooltip": {"0"}, "sharedCrosshair": {"false"}, "liveNow": {"false"}, "style": {`"dark"`},
	"hideControls": {"false"}, "preload": {"false"}, "timezone": {`"browser"`}, "refresh": {"false"}, "overwrite": {"false"},
	"time.from": {`"now-6h"`}, "time.to": {`"now"`}, "timepicker.hidden": {"false"}, "timepicker.enable": {"true"}, "timepicker.collapse": {"false"},
	"timepicker.notice": {"false"}, "timepicker.now": {"true"}, "timepicker.status": {`"Stable"`}, "timepicker.type": {`"timepicker"`},
	"timepicker.refresh_intervals": {
		`["5s","10s","30s","1m","5m","15m","30m","1h","2h","1d"]`, `["10s","30s","1m","5m","15m","30m","1h","2h","1d"]`,
	},
	"timepicker.time_options": {`["5m","15m","1h","6h","12h","24h","2d","7d","30d"]`},
}

var panelDefaults = map[string][]string{
	"transparent": {"false"}, "repeatDirection": {`"h"`}, "editable": {"true"}, "error": {"false"}, "isNew": {"true", "false"}, "renderer": {`"flot"`},
	"cacheTimeout": {`""`}, "hideTimeOverride": {"false"}, "collapsed": {"false"}, "collapse": {"false"}, "showTitle": {"true"}, "titleSize": {`"h6"`},
	"fieldConfig.defaults.unitScale":                     {"true"},
	"fieldConfig.defaults.thresholds.mode":               {`"absolute"`},
	"fieldConfig.defaults.thresholds.steps":              {`[{"color":"green"},{"color":"red","value":80}]`, `[{"color":"green","value":null},{"color":"red","value":80}]`},
	"fieldConfig.defaults.custom.axisBorderShow":         {"false"},
	"fieldConfig.defaults.custom.axisCenteredZero":       {"false"},
	"fieldConfig.defaults.custom.axisColorMode":          {`"text"`},
	"fieldConfig.defaults.custom.axisPlacement":          {`"auto"`},
	"fieldConfig.defaults.custom.barAlignment":           {"0"},
	"fieldConfig.defaults.custom.barWidthFactor":         {"0.6"},
	"fieldConfig.defaults.custom.drawStyle":              {`"line"`},
	"fieldConfig.defaults.custom.fillOpacity":            {"0"},
	"fieldConfig.defaults.custom.gradientMode":           {`"none"`},
	"fieldConfig.defaults.custom.hideFrom.legend":        {"false"},
	"fieldConfig.defaults.custom.hideFrom.tooltip":       {"false"},
	"fieldConfig.defaults.custom.hideFrom.viz":           {"false"},
	"fieldConfig.defaults.custom.insertNulls":            {"false"},
	"fieldConfig.defaults.custom.lineInterpolation":      {`"linear"`},
	"fieldConfig.defaults.custom.lineStyle.fill":         {`"solid"`},
	"fieldConfig.defaults.custom.lineWidth":              {"1"},
	"fieldConfig.defaults.custom.pointSize":              {"5"},
	"fieldConfig.defaults.custom.scaleDistribution.type": {`"linear"`},
	"fieldConfig.defaults.custom.showPoints":             {`"auto"`},
	"fieldConfig.defaults.custom.showValues":             {"false"},
	"fieldConfig.defaults.custom.spanNulls":              {"false"},
	"fieldConfig.defaults.custom.stacking.group":         {`"A"`},
	"fieldConfig.defaults.custom.stacking.mode":          {`"none"`},
	"fieldConfig.defaults.custom.thresholdsStyle.mode":   {`"off"`},
	"fieldConfig.defaults.custom.align":                  {`"auto"`},
	"fieldConfig.defaults.custom.cellOptions.type":       {`"auto"`},
	"fieldConfig.defaults.custom.displayMode":            {`"auto"`},
	"fieldConfig.defaults.custom.filterable":             {"false"},
	"fieldConfig.defaults.custom.inspect":                {"false"},
	"fieldConfig.defaults.custom.footer.reducers":        {"[]"},
	"options.legend.displayMode":                         {`"list"`},
	"options.legend.placement":                           {`"bottom"`},
	"options.legend.showLegend":                          {"true"},
	"options.tooltip.mode":                               {`"single"`},
	"options.tooltip.sort":                               {`"none"`},
	"options.tooltip.hideZeros":                          {"false"},
	"options.reduceOptions.calcs":                        {`["lastNotNull"]`},
	"options.reduceOptions.values":                       {"false"},
	"options.orientation":                                {`"auto"`},
	"options.textMode":                                   {`"auto"`},
	"options.colorMode":                                  {`"value"`},
	"options.graphMode":                                  {`"area"`},
	"options.justifyMode":                                {`"auto"`},
	"options.wideLayout":                                 {"true"},
	"options.showPercentChange":                          {"false"},
	"options.percentChangeColorMode":                     {`"standard"`},
	"options.showThresholdLabels":                        {"false"},
	"options.showThresholdMarkers":                       {"true"},
	"options.minVizWidth":                                {"75", "8"},
	"options.minVizHeight":                               {"75", "16"},
	"options.maxVizHeight":                               {"300"},
	"options.sizing":                                     {`"auto"`},
	"options.displayMode":                                {`"gradient"`},
	"options.valueMode":                                  {`"color"`},
	"options.namePlacement":                              {`"auto"`},
	"options.showUnfilled":                               {"true"},
	"options.cellHeight":                                 {`"sm"`},
	"options.showHeader":                                 {"true"},
	"options.footer.show":                                {"false"},
	"options.footer.countRows":                           {"false"},
	"options.footer.enablePagination":                    {"false"},
	"options.footer.reducer":                             {`["sum"]`},
	"options.frameIndex":                                 {"0"},
	"options.sortBy":                                     {"[]"},
	"options.code.language":                              {`"plaintext"`},
	"options.code.showLineNumbers":                       {"false"},
	"options.code.showMiniMap":                           {"false"},
	"options.mode":                                       {`"markdown"`},
	"options.alertThreshold":                             {"true"},
	"dashes":                                             {"false"}, "dashLength": {"10"}, "spaceLength": {"10"}, "hiddenSeries": {"false"}, "fillGradient": {"0"}, "pointradius": {"2", "5"},
	"percentage": {"false"}, "steppedLine": {"false"}, "points": {"false"}, "bars": {"false"}, "lines": {"true"}, "linewidth": {"1"}, "fill": {"1"},
	"nullPointMode": {`"null"`}, "stack": {"false"}, "xaxis.mode": {`"time"`}, "xaxis.show": {"true"}, "yaxis.align": {"false"},
	"legend.alignAsTable": {"false"}, "legend.avg": {"false"}, "legend.current": {"false"}, "legend.max": {"false"}, "legend.min": {"false"},
	"legend.show": {"true"}, "legend.total": {"false"}, "legend.values": {"false"}, "legend.rightSide": {"false"}, "legend.hideEmpty": {"false"}, "legend.hideZero": {"false"},
	"tooltip.shared": {"true"}, "tooltip.sort": {"0"}, "tooltip.value_type": {`"individual"`, `"cumulative"`}, "tooltip.msResolution": {"false", "true"},
}

var targetDefaults = map[string][]string{
	"hide": {"false"}, "instant": {"false"}, "range": {"true"}, "exemplar": {"false"}, "intervalFactor": {"1"}, "format": {`"time_series"`},
	"step": {"0"}, "queryType": {`"randomWalk"`, `"range"`},
}

var variableDefaults = map[string][]string{
	"hide": {"0"}, "includeAll": {"false"}, "multi": {"false"}, "skipUrlSync": {"false"}, "sort": {"0"}, "useTags": {"false"}, "auto": {"false"},
	"auto_count": {"30"}, "auto_min": {`"10s"`}, "refresh": {"0", "false"}, "allowCustomValue": {"true"}, "multiFormat": {`"glob"`}, "refresh_on_load": {"false"},
	"regexApplyTo": {`"value"`},
}

var annotationDefaults = map[string][]string{
	"enable": {"true"}, "hide": {"false"}, "showIn": {"0"}, "useValueForTime": {"false"}, "type": {`"dashboard"`, `"tags"`}, "limit": {"100"}, "matchAny": {"false"},
	"filter.exclude": {"false"}, "target.limit": {"100"}, "target.matchAny": {"false"}, "target.type": {`"dashboard"`, `"tags"`}, "target.refId": {`"Anno"`},
}

var linkDefaults = map[string][]string{
	"asDropdown": {"false"}, "includeVars": {"false"}, "keepTime": {"false"}, "targetBlank": {"false"}, "icon": {`"external link"`}, "type": {`"link"`, `"dashboards"`},
	"placement": {`"default"`},
}

func defaultsOf(kind entityKind) map[string][]string {
	switch kind {
	case dashboardEntity:
		return dashboardDefaults
	case panelEntity:
		return panelDefaults
	case targetEntity:
		return targetDefaults
	case variableEntity:
		return variableDefaults
	case annotationEntity:
		return annotationDefaults
	case linkEntity:
		return linkDefaults
	}
	return nil
}

// saysNothing tells whether a value at a place means what its absence means.
func saysNothing(kind entityKind, path string, n *dashboard.Node) bool {
	if table := defaultsOf(kind)[path]; table != nil && slices.Contains(table, n.Compact()) {
		return true
	}
	switch n.Kind() {
	case dashboard.Invalid, dashboard.Null:
		return true
	case dashboard.String:
		return n.Text() == ""
	case dashboard.Array:
		return n.Len() == 0
	case dashboard.Object:
		for _, m := range n.Children() {
			if !saysNothing(kind, strings.TrimPrefix(path+"."+m.Key(), "."), m) {
				return false
			}
		}
		return true
	}
	return false
}

// editorState are members of a query that only the query editor reads.
var editorState = []string{
	"editorMode", "builder", "useBackend", "disableTextWrap", "fullMetaSearch", "includeNullMetadata", "key", "metric", "qryType", "rawQuery", "textEditor",
	"$$hashKey", "prometheus", "requestId", "utcOffsetSec", "target",
}
