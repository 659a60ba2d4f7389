// Package alerts reads Lookout's alert rule files and turns them into rule files of Prometheus.
//
// The files are YAML in Prometheus' vocabulary (groups, alert, expr, for, labels, annotations) with the comparison split
// out of the expression, so that it can differ per environment and become a node of its own in Grafana:
//
//	threshold: {above: 8}
//
// modules/alert-rules reads the same files for Grafana; the fields that both know are described in its README.
package alerts

// File is one rule file.
type File struct {
	// Path is what was given to [Load], for messages.
	Path string `yaml:"-"`

	Groups []Group `yaml:"groups"`
}

// Group is a set of rules that are evaluated together.
type Group struct {
	Name string `yaml:"name"`
	// Interval is how often the rules are evaluated. Grafana takes ten seconds or a multiple.
	Interval Duration `yaml:"interval"`
	Rules    []Rule   `yaml:"rules"`

	line int
}

// Rule is one alert.
type Rule struct {
	Alert string `yaml:"alert"`
	// UID is the rule's identifier in Grafana: 1 to 40 letters, digits, '-' and '_'.
	UID string `yaml:"uid"`
	// Expr is PromQL without the comparison.
	Expr string `yaml:"expr"`
	// Window, if set, is the range in Expr that an environment may replace by another.
	Window    Duration  `yaml:"window"`
	Threshold Threshold `yaml:"threshold"`
	// Unit says how values are written in messages: bytes, percent, seconds or short. Empty means short.
	Unit string `yaml:"unit"`
	// For is the pending period.
	For Duration `yaml:"for"`
	// KeepFiringFor is how long the alert goes on firing after its condition ended.
	KeepFiringFor Duration `yaml:"keep_firing_for"`
	// NoDataState is what Grafana does when the query returns nothing: NoData, OK or Alerting.
	NoDataState string `yaml:"no_data_state"`
	// ExecErrState is what Grafana does when the query fails: Error, OK or Alerting.
	ExecErrState string            `yaml:"exec_err_state"`
	Labels       map[string]string `yaml:"labels"`
	Annotations  map[string]string `yaml:"annotations"`
	// Panel is the panel that shows what the rule watches; nil for none.
	Panel *Panel `yaml:"panel"`

	line int
}

// Threshold is the comparison: exactly one of the two is set.
type Threshold struct {
	Above *float64 `yaml:"above"`
	Below *float64 `yaml:"below"`
}

// Panel names a panel of a dashboard.
type Panel struct {
	// Dashboard is the dashboard's uid.
	Dashboard string `yaml:"dashboard"`
	ID        int    `yaml:"id"`
}

// Duration is a time span in Prometheus' notation, such as "1h30m". Empty means that none was given.
type Duration string

// Line is the line in the file on which the rule begins.
func (r Rule) Line() int { return r.line }

// Value is the number that the rule compares with.
func (t Threshold) Value() float64 {
	switch {
	case t.Above != nil:
		return *t.Above
	case t.Below != nil:
		return *t.Below
	}
	return 0
}

// Operator is the comparison in PromQL: ">" or "<".
func (t Threshold) Operator() string {
	if t.Below != nil {
		return "<"
	}
	return ">"
}
