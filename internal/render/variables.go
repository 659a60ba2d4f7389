package render

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"lookout/internal/dashboard"
)

const allValues = "$__all"

// readVariables finds what every template variable stands for: what the options say, else what the dashboard was saved with if that still is one of the choices,
// else the first choice. The choices of a query come from Prometheus, if there is one.
func (r *renderer) readVariables(ctx context.Context) error {
	span := r.end.Sub(r.start)
	r.choiceLists = map[string][]choice{}
	r.scope = &scope{vars: map[string]value{}, builtins: map[string]string{
		"__from": strconv.FormatInt(r.start.UnixMilli(), 10), "__to": strconv.FormatInt(r.end.UnixMilli(), 10),
		"__range": promDuration(span.Round(time.Second)), "__range_s": strconv.FormatInt(int64(span.Round(time.Second).Seconds()), 10),
		"__range_ms": strconv.FormatInt(span.Milliseconds(), 10), "__dashboard": r.d.Title,
	}}
	r.filters = nil
	for _, v := range r.d.Variables {
		val, err := r.readVariable(ctx, v)
		if err != nil {
			return err
		}
		r.scope.vars[v.Name] = val
	}
	return nil
}

// choice is one entry of a variable's list.
type choice struct{ text, value string }

func (r *renderer) readVariable(ctx context.Context, v *dashboard.Variable) (value, error) {
	out := value{multi: v.Multi || v.IncludeAll, allValue: v.AllValue}
	choices, err := r.choices(ctx, v)
	if err != nil {
		return out, err
	}
	r.choiceLists[v.Name] = choices
	if v.Type == "adhoc" {
		val, err := r.adHoc(v)
		if err != nil {
			r.report.Problems = append(r.report.Problems, Problem{Variable: v.Name, Query: strings.Join(r.opts.Variables[v.Name], ", "), Err: err})
		}
		return val, nil
	}
	want, asked := r.opts.Variables[v.Name]
	var texts []string
	if !asked {
		want, texts = stringsOf(v.Node.Path("current", "value")), stringsOf(v.Node.Path("current", "text"))
		if len(want) == 0 {
			want = texts
		}
	}
	switch {
	case len(want) == 1 && (want[0] == allValues || v.IncludeAll && strings.EqualFold(want[0], "all")):
		out.all = true
	case asked:
		out.values = want
	case len(choices) > 0 && r.opts.Prometheus != nil && v.Type == "query":
		// What the dashboard was saved with may not exist here.
		for i, w := range want {
			if slices.ContainsFunc(choices, func(c choice) bool { return c.value == w }) {
				out.values = append(out.values, w)
				if i < len(texts) {
					out.texts = append(out.texts, texts[i])
				}
			}
		}
	default:
		out.values, out.texts = want, texts
	}
	if len(out.texts) != len(out.values) {
		out.texts = nil
	}
	if out.all || len(out.values) == 0 && v.IncludeAll {
		out.all, out.values, out.texts = true, nil, nil
		for _, c := range choices {
			if c.value != allValues {
				out.values, out.texts = append(out.values, c.value), append(out.texts, c.text)
			}
		}
		return out, nil
	}
	if len(out.values) == 0 && len(choices) > 0 {
		out.values, out.texts = []string{choices[0].value}, []string{choices[0].text}
	}
	if v.Type == "interval" && len(out.values) == 1 && strings.HasPrefix(out.values[0], "$__auto") {
		out.values, out.texts = []string{promDuration(stepFor(r.end.Sub(r.start), 30, 10*time.Second))}, nil
	}
	return out, nil
}

func stringsOf(n *dashboard.Node) []string {
	if n.Is(dashboard.Array) {
		var out []string
		for _, i := range n.Items() {
			if i.Scalar() {
				out = append(out, i.Scalarish())
			}
		}
		return out
	}
	if n.Is(dashboard.Null) || !n.Scalar() {
		return nil
	}
	if s := n.Scalarish(); s != "" {
		return []string{s}
	}
	return nil
}

func (r *renderer) choices(ctx context.Context, v *dashboard.Variable) ([]choice, error) {
	switch v.Type {
	case "query":
		if r.opts.Prometheus != nil {
			return r.queryChoices(ctx, v)
		}
	case "adhoc":
		return r.labelChoices(ctx, v)
	case "custom", "interval":
		var out []choice
		for _, part := range splitList(v.Query) {
			text, val, ok := strings.Cut(part, " : ")
			if !ok {
				val = text
			}
			out = append(out, choice{strings.TrimSpace(text), strings.TrimSpace(val)})
		}
		return out, nil
	case "constant", "textbox":
		return []choice{{v.Query, v.Query}}, nil
	}
	var out []choice
	for _, o := range v.Node.Get("options").Items() {
		if val := o.Get("value").Scalarish(); val != "" && val != allValues {
			out = append(out, choice{cmp.Or(o.Get("text").Scalarish(), val), val})
		}
	}
	return out, nil
}

// splitList splits at commas that no backslash stands before.
func splitList(s string) []string {
	var out []string
	var part strings.Builder
	flush := func() {
		if t := strings.TrimSpace(part.String()); t != "" {
			out = append(out, t)
		}
		part.Reset()
	}
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && s[i+1] == ',':
			part.WriteByte(',')
			i++
		case s[i] == ',':
			flush()
		default:
			part.WriteByte(s[i])
		}
	}
	flush()
	return out
}

// labelChoices are the labels that an ad hoc variable may filter by.
func (r *renderer) labelChoices(ctx context.Context, v *dashboard.Variable) ([]choice, error) {
	if r.opts.Prometheus == nil || r.opts.only == nil || !isPrometheus(r.d.Resolve(v.Datasource)) {
		return nil, nil // pictures offer no choice
	}
	r.report.Queries++
	names, _, _, err := r.opts.Prometheus.LabelNames(ctx, nil, r.start, r.end)
	if err != nil {
		return nil, r.queryFailed(ctx, Problem{Variable: v.Name, Query: "label names", Err: err})
	}
	r.answered++
	var out []choice
	for _, n := range names {
		out = append(out, choice{string(n), string(n)})
	}
	return out, nil
}

func (r *renderer) queryChoices(ctx context.Context, v *dashboard.Variable) ([]choice, error) {
	if ds := r.d.Resolve(v.Datasource); !isPrometheus(ds) {
		return nil, nil
	}
	q := dashboard.ParseVariableQuery(v.Query)
	expr := r.scope.promql(q.Expr, time.Minute, r.scrape)
	label := r.scope.text(q.Label)
	var found []string
	var err error
	api := r.opts.Prometheus
	r.report.Queries++
	var matches []string
	if expr != "" {
		matches = []string{expr}
	}
	switch q.Func {
	case dashboard.LabelValues:
		var vals model.LabelValues
		vals, _, _, err = api.LabelValues(ctx, label, matches, r.start, r.end)
		for _, s := range vals {
			found = append(found, string(s))
		}
	case dashboard.LabelNames:
		var names model.LabelNames
		names, _, _, err = api.LabelNames(ctx, matches, r.start, r.end)
		for _, n := range names {
			found = append(found, string(n))
		}
	case dashboard.Metrics:
		var vals model.LabelValues
		vals, _, _, err = api.LabelValues(ctx, model.MetricNameLabel, nil, r.start, r.end)
		re, reErr := regexp.Compile(r.scope.text(q.Regex))
		for _, s := range vals {
			if reErr == nil && re.MatchString(string(s)) {
				found = append(found, string(s))
			}
		}
	default:
		var res model.Value
		res, _, _, err = api.Query(ctx, expr, r.end)
		if vec, ok := res.(model.Vector); ok {
			slices.SortFunc(vec, func(a, b *model.Sample) int { return cmp.Compare(a.Metric.String(), b.Metric.String()) })
			for _, s := range vec {
				text := s.Metric.String()
				if q.Func == dashboard.QueryResult {
					text += " " + s.Value.String() + " " + strconv.FormatInt(int64(s.Timestamp), 10)
				}
				found = append(found, text)
			}
		}
	}
	if err != nil {
		if fatal := r.queryFailed(ctx, Problem{Variable: v.Name, Query: v.Query, Err: err}); fatal != nil {
			return nil, fatal
		}
		return nil, nil
	}
	r.answered++
	return sortChoices(filterChoices(found, v.Regex), v), nil
}

// filterChoices applies a variable's regex: a group named value (and text), else the first group, else the whole text if it matches.
func filterChoices(found []string, pattern string) []choice {
	var out []choice
	seen := map[string]bool{}
	add := func(text, val string) {
		if val != "" && !seen[val] {
			seen[val] = true
			out = append(out, choice{text, val})
		}
	}
	pattern = strings.TrimSpace(pattern)
	if pattern == "" {
		for _, f := range found {
			add(f, f)
		}
		return out
	}
	re, err := compileSlashed(pattern)
	if err != nil {
		return nil
	}
	for _, f := range found {
		m := re.FindStringSubmatch(f)
		if m == nil {
			continue
		}
		text, val := "", ""
		if i := re.SubexpIndex("text"); i >= 0 {
			text = m[i]
		}
		if i := re.SubexpIndex("value"); i >= 0 {
			val = m[i]
		}
		if text == "" && val == "" {
			if len(m) > 1 {
				val = m[1]
			} else {
				val = f
			}
		}
		add(cmp.Or(text, val), cmp.Or(val, text))
	}
	return out
}

// compileSlashed compiles a pattern as JavaScript programs write them: /text/flags, or text alone.
func compileSlashed(pattern string) (*regexp.Regexp, error) {
	if len(pattern) > 1 && pattern[0] == '/' {
		if end := strings.LastIndexByte(pattern, '/'); end > 0 {
			flags := pattern[end+1:]
			pattern = pattern[1:end]
			if strings.Contains(flags, "i") {
				pattern = "(?i)" + pattern
			}
		}
	}
	return regexp.Compile(strings.ReplaceAll(pattern, "(?<", "(?P<"))
}

func sortChoices(list []choice, v *dashboard.Variable) []choice {
	how, _ := v.Node.Get("sort").Int()
	number := regexp.MustCompile(`\d+(?:\.\d+)?`)
	numeric := func(s string) float64 {
		f, err := strconv.ParseFloat(number.FindString(s), 64)
		if err != nil {
			return -1
		}
		return f
	}
	slices.SortStableFunc(list, func(a, b choice) int {
		switch how {
		case 1:
			return cmp.Compare(a.text, b.text)
		case 2:
			return cmp.Compare(b.text, a.text)
		case 3:
			return cmp.Compare(numeric(a.text), numeric(b.text))
		case 4:
			return cmp.Compare(numeric(b.text), numeric(a.text))
		case 5, 7:
			return cmp.Compare(strings.ToLower(a.text), strings.ToLower(b.text))
		case 6, 8:
			return cmp.Compare(strings.ToLower(b.text), strings.ToLower(a.text))
		}
		return 0
	})
	return list
}

// isPrometheus tells whether a datasource may be asked: it is Prometheus, or nothing says that it is something else.
func isPrometheus(ref dashboard.Ref) bool {
	switch ref.Kind {
	case dashboard.RefExpr, dashboard.RefDashboard, dashboard.RefGrafana, dashboard.RefInvalid:
		return false
	}
	return ref.Type == "" || ref.Type == "prometheus" || ref.Type == "grafana-amazonprometheus-datasource" || ref.Type == "grafana-azureprometheus-datasource"
}
