package scaffold

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"lookout/internal/dashboard"
)

// An Alert is one to be written: with the panel that shows its red line, its unit test, and its runbook in both languages.
type Alert struct {
	// Name is the alert's, in the form CheckoutFails.
	Name   string
	Metric Metric
	// Threshold is compared with the metric, or with its rate per second where it is a counter; Below says that less is bad.
	Threshold float64
	Below     bool
	// For is the pending period, in whole minutes.
	For time.Duration
	// Severity is critical, warning or info.
	Severity string
	// Dashboard is the uid of the one that gets the panel; it is written where there is none.
	Dashboard string
	// Keyword has to stand in every summary, for robots that ask for it.
	Keyword string
}

var (
	alertNames = regexp.MustCompile(`^[A-Z][A-Za-z0-9]{2,59}$`)
	severities = []string{"critical", "warning", "info"}
	chinese    = map[string]string{"critical": "严重", "warning": "警告", "info": "提示"}
)

func (a Alert) check() error {
	switch {
	case !alertNames.MatchString(a.Name):
		return fmt.Errorf("the alert's name is %q: write words without blanks, each with a capital, for example CheckoutFails", a.Name)
	case math.IsNaN(a.Threshold) || math.IsInf(a.Threshold, 0):
		return fmt.Errorf("the threshold is %v, which is not a finite number", a.Threshold)
	case a.Threshold <= 0 && (a.Below || a.Metric.counter()), a.Threshold < 0:
		return fmt.Errorf("the threshold is %s: give one above 0, and edit the rule for anything else", number(a.Threshold))
	case a.For < time.Minute || a.For > 24*time.Hour || a.For%time.Minute != 0:
		return fmt.Errorf("the pending period is %s: give whole minutes, from 1m to 24h", a.For)
	case !slices.Contains(severities, a.Severity):
		return fmt.Errorf("the severity is %q: write critical, warning or info", a.Severity)
	}
	return a.Metric.check()
}

// Files returns everything that belongs to the alert, with the files that exist and are added to.
func (a Alert) Files(repo string) (files Files, changed []string, err error) {
	if err := a.check(); err != nil {
		return nil, nil, err
	}
	slug := Slug(a.Name)
	if exists(repo, "alerts/"+slug+".yaml") {
		return nil, nil, fmt.Errorf("alerts/%s.yaml exists already: choose another name, or edit it", slug)
	}
	files = Files{}
	board, id, title, err := a.panel(repo, files)
	if err != nil {
		return nil, nil, err
	}
	if exists(repo, board) {
		changed = append(changed, board)
	}
	files["alerts/"+slug+".yaml"] = []byte(a.rule(id))
	files["alerts/"+slug+".test.yaml"] = []byte(a.test())
	more, err := a.Runbook(title).Files(repo, files)
	return files, append(changed, more...), err
}

// panel adds the panel to the dashboard and returns its file and id, and the dashboard's title.
func (a *Alert) panel(repo string, files Files) (path string, id int, title string, err error) {
	if a.Dashboard == "" {
		a.Dashboard = Slug(a.Metric.Job)
	}
	if path, err = find(repo, a.Dashboard); err != nil {
		return "", 0, "", err
	}
	var doc object
	if path == "" {
		d := Dashboard{UID: a.Dashboard, Folder: Slug(a.Metric.Job), Job: a.Metric.Job, Metrics: []string{a.Metric.Name}}
		if doc, err = d.document(); err != nil {
			return "", 0, "", err
		}
		path = d.path()
	} else {
		data, err := os.ReadFile(filepath.Join(repo, path))
		if err != nil {
			return "", 0, "", err
		}
		if doc, err = classic(path, data); err != nil {
			return "", 0, "", err
		}
	}
	panels, _ := doc["panels"].([]any)
	bottom := 0.0
	for _, one := range panels {
		p, _ := one.(object)
		if n, ok := p["id"].(float64); ok {
			id = max(id, int(n))
		}
		if at, ok := p["gridPos"].(object); ok {
			y, _ := at["y"].(float64)
			h, _ := at["h"].(float64)
			bottom = max(bottom, y+h)
		}
	}
	id++
	p := panel(a.Metric, id, 0, &line{a.Name, a.Threshold, a.Below})
	p["gridPos"].(object)["y"] = bottom
	p["title"] = uniqueTitle(panels, a.Metric.title())
	doc["panels"] = append(panels, p)
	title, _ = doc["title"].(string)
	files[path], err = canonical(path, doc)
	return path, id, title, err
}

func uniqueTitle(panels []any, title string) string {
	for _, one := range panels {
		if p, ok := one.(object); ok && p["title"] == title {
			return title + ", with its limit"
		}
	}
	return title
}

// classic reads a dashboard to which a panel can be added.
func classic(path string, data []byte) (doc object, err error) {
	if _, err := dashboard.Load(path, data); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if _, ok := doc["panels"].([]any); !ok {
		return nil, fmt.Errorf("%s is not saved in the classic schema: name another dashboard, or `lookout convert` it", path)
	}
	text, _ := json.Marshal(doc["templating"])
	for _, name := range []string{"datasource", "job", "instance"} {
		if !strings.Contains(string(text), fmt.Sprintf(`"name":%q`, name)) {
			return nil, fmt.Errorf("%s has no variable %s, by which the panel would select: name another dashboard, or leave --dashboard out", path, name)
		}
	}
	return doc, nil
}

// expr is the rule's, without the comparison.
func (a Alert) expr() string {
	selector := fmt.Sprintf(`%s{job="%s"}`, a.Metric.Name, a.Metric.Job)
	switch {
	case a.Metric.counter():
		return "sum by (job, instance) (rate(" + selector + "[5m]))"
	case a.Below:
		return "min by (job, instance) (" + selector + ")"
	}
	return "max by (job, instance) (" + selector + ")"
}

// side is "above" or "below", in both languages.
func (a Alert) side() (english, chinese string) {
	if a.Below {
		return "below", "低于"
	}
	return "above", "高于"
}

// what is the quantity in words.
func (a Alert) what() (english, chinese string) {
	if a.Metric.counter() {
		return "the rate of " + a.Metric.Name + " per second", "每秒的 " + a.Metric.Name
	}
	return a.Metric.Name, a.Metric.Name
}

// title are the alert's words: "Checkout fails".
func (a Alert) title() string {
	words := strings.ReplaceAll(Slug(a.Name), "-", " ")
	return strings.ToUpper(words[:1]) + words[1:]
}

// described is the description for an instance and a value.
func (a Alert) described(job, instance, value string) [2]string {
	english, chinese := a.side()
	what, whatChinese := a.what()
	limit := number(a.Threshold)
	return [2]string{
		fmt.Sprintf("服务 %s 的实例 %s 上，%s为 %s，%s %s。", job, instance, whatChinese+" ", value, chinese, limit),
		fmt.Sprintf("On %s of %s, %s is %s, %s %s.", instance, job, what, value, english, limit),
	}
}

const valueFormat = "%.4g"

func (a Alert) rule(panelID int) string {
	side, _ := a.side()
	slug := Slug(a.Name)
	lines := a.described("{{ $labels.job }}", "{{ $labels.instance }}", `{{ $value | printf "`+valueFormat+`" }}`)
	window, excuse := "", ""
	if a.Metric.counter() {
		window = "        window: 5m\n"
		if !a.exact() {
			excuse = "      # lookout:survives comparison-boundary: the rate of a counter is hardly ever exactly the threshold\n"
		}
	}
	return fmt.Sprintf(`# %[1]s of %[2]s. Panel: %[3]s, number %[4]d.
groups:
  - name: %[5]s
    interval: 1m
    rules:
%[6]s      - alert: %[7]s
        uid: %[5]s
        expr: %[8]s
%[9]s        threshold:
          %[10]s: %[11]s
        for: %[12]s
        no_data_state: OK
        exec_err_state: KeepLast
        labels:
          severity: %[13]s
        annotations:
          summary: 【%[14]s】%[15]s
          description: |-
            %[16]s
            %[17]s
          runbook_url: docs/runbooks/%[5]s.md
        panel:
          dashboard: %[3]s
          id: %[4]d
`, a.Metric.title(), a.Metric.Job, a.Dashboard, panelID, slug, excuse, a.Name, a.expr(), window, side, number(a.Threshold),
		model.Duration(a.For), a.Severity, a.Keyword, a.title(), lines[0], lines[1])
}

// exact reports whether a counter's rate can be exactly the threshold in floating point.
func (a Alert) exact() bool { return a.Threshold == math.Trunc(a.Threshold) && a.Threshold < 1e9 }

// test is the unit test: firing and recovering to the minute, and quiet at the threshold and for other jobs.
func (a Alert) test() string {
	minutes := int(a.For / time.Minute)
	bad := a.Threshold * 1.05
	quiet := a.Threshold
	if a.Below {
		bad = a.Threshold * 0.95
	}
	if a.Metric.counter() && !a.exact() {
		quiet = a.Threshold * 0.95
		if a.Below {
			quiet = a.Threshold * 1.05
		}
	}
	if a.Threshold == 0 {
		bad = 0.5
	}
	job, other := a.Metric.Job, a.Metric.Job+"-other"
	var fires, recovers int
	var badSeries, quietSeries string
	if a.Metric.counter() {
		// The last five minutes count: four steps between five samples. All four have to be bad.
		lead, hold := 10, minutes+10
		step := func(rate float64) string { return plain(rate * 60) }
		calm := 0.0
		if a.Below {
			calm = quiet * 2
		}
		// Far from 0, or Prometheus would take it for a counter that has just begun.
		base := math.Ceil(max(bad, calm) * 60 * 1000)
		from := base + calm*60*float64(lead)
		to := from + bad*60*float64(hold)
		badSeries = fmt.Sprintf("%s+%sx%d %s+%sx%d %s+%sx%d", plain(base), step(calm), lead, plain(from+bad*60), step(bad), hold-1, plain(to+calm*60), step(calm), 20)
		quietSeries = fmt.Sprintf("%s+%sx%d", plain(base), step(quiet), lead+hold+20)
		fires, recovers = lead+4+minutes, lead+hold+1
	} else {
		hold := minutes + 5
		badSeries = fmt.Sprintf("%sx%d %sx20", plain(bad), hold, plain(quiet))
		quietSeries = fmt.Sprintf("%sx%d", plain(quiet), hold+20)
		fires, recovers = minutes, hold+1
	}
	lines := a.described(job, job+"1", fmt.Sprintf(valueFormat, bad))
	return fmt.Sprintf(`# Unit tests of %[1]s.yaml for promtool test rules (lookout rules test runs them).
rule_files:
  - %[1]s.rules.yaml

evaluation_interval: 1m

tests:
  - name: %[2]s fires after %[3]s, and recovers
    interval: 1m
    input_series:
      - series: %[4]s{job="%[5]s", instance="%[5]s1"}
        values: %[6]s
    alert_rule_test:
      - eval_time: %[7]dm
        alertname: %[2]s
        exp_alerts: []
      - eval_time: %[8]dm
        alertname: %[2]s
        exp_alerts: &firing
          - exp_labels:
              severity: %[9]s
              job: %[5]s
              instance: %[5]s1
            exp_annotations:
              summary: 【%[10]s】%[11]s
              description: |-
                %[12]s
                %[13]s
              runbook_url: docs/runbooks/%[1]s.md
      - eval_time: %[14]dm
        alertname: %[2]s
        exp_alerts: *firing
      - eval_time: %[15]dm
        alertname: %[2]s
        exp_alerts: []

  - name: at the threshold, and for other jobs, %[2]s does not fire
    interval: 1m
    input_series:
      - series: %[4]s{job="%[5]s", instance="%[5]s1"}
        values: %[16]s
      - series: %[4]s{job="%[17]s", instance="%[17]s1"}
        values: %[6]s
    alert_rule_test:
      - eval_time: %[8]dm
        alertname: %[2]s
        exp_alerts: []
      - eval_time: %[14]dm
        alertname: %[2]s
        exp_alerts: []
`, Slug(a.Name), a.Name, model.Duration(a.For), a.Metric.Name, job, badSeries, fires-1, fires, a.Severity, a.Keyword, a.title(),
		lines[0], lines[1], recovers-1, recovers, quietSeries, other)
}

// A Runbook is what to do about an alert.
type Runbook struct {
	// Alert is the name of the alert, Severity its.
	Alert, Severity string
	// Meaning is one sentence, in both languages; Where is what to look at.
	Meaning, MeaningChinese string
	Where, WhereChinese     string
}

// Runbook is the one of an alert that is shown in a dashboard of that title.
func (a Alert) Runbook(title string) Runbook {
	side, sideChinese := a.side()
	what, whatChinese := a.what()
	return Runbook{
		Alert: a.Name, Severity: a.Severity,
		Meaning:        fmt.Sprintf("On an instance of %s, %s stays %s %s for %s.", a.Metric.Job, what, side, number(a.Threshold), model.Duration(a.For)),
		MeaningChinese: fmt.Sprintf("%s 的一个实例上，%s 持续%s %s，超过 %s。", a.Metric.Job, whatChinese, sideChinese, number(a.Threshold), model.Duration(a.For)),
		Where:          fmt.Sprintf("The panel *%s* in the dashboard *%s*, and the logs of the instance at the time when it crossed the line.", a.Metric.title(), title),
		WhereChinese:   fmt.Sprintf("仪表盘 *%s* 的面板 *%s*，以及该实例在越过红线那一刻的日志。", title, a.Metric.title()),
	}
}

const (
	runbookTable        = "docs/runbooks/README.md"
	runbookTableChinese = "docs/runbooks/README.zh-CN.md"
)

// Files returns the page in both languages, and adds it to the lists, which have been changed in files or are in the repository.
func (r Runbook) Files(repo string, files Files) (changed []string, err error) {
	switch {
	case !alertNames.MatchString(r.Alert):
		return nil, fmt.Errorf("the alert's name is %q: write words without blanks, each with a capital, for example CheckoutFails", r.Alert)
	case !slices.Contains(severities, r.Severity):
		return nil, fmt.Errorf("the severity is %q: write critical, warning or info", r.Severity)
	}
	slug := Slug(r.Alert)
	title := Alert{Name: r.Alert}.title()
	if exists(repo, "docs/runbooks/"+slug+".md") {
		return nil, fmt.Errorf("docs/runbooks/%s.md exists already: choose another name, or edit it", slug)
	}
	files["docs/runbooks/"+slug+".md"] = fmt.Appendf(nil, `# %[1]s: %[2]s

[中文](%[3]s.zh-CN.md)

%[4]s

**What users notice.** Say here what somebody who uses the service sees, and how soon.

**Why.** Say here what the usual causes are, the most frequent one first.

**Where to look.** %[5]s

**What to do.** Say here what stops it, and whom to call if that does not help. If the threshold is wrong for an environment, set it in
`+"`overrides` in `envs/<env>/alerts.yaml`.\n", r.Alert, title, slug, r.Meaning, r.Where)
	files["docs/runbooks/"+slug+".zh-CN.md"] = fmt.Appendf(nil, `# %[1]s：%[2]s

[English](%[3]s.md)

%[4]s

**用户的感受。** 在这里写：使用这个服务的人会看到什么，多久会看到。

**原因。** 在这里写：常见原因，最常见的写在最前面。

**去哪里看。** %[5]s

**怎么处理。** 在这里写：怎样止住它，不见效时找谁。如果某个环境的阈值不合适，就在该环境的
`+"`envs/<环境>/alerts.yaml` 里用 `overrides` 设置。\n", r.Alert, title, slug, r.MeaningChinese, r.WhereChinese)
	for path, row := range map[string]string{
		runbookTable:        fmt.Sprintf("| `%s` | %s | %s | [%s.md](%s.md) |\n", r.Alert, r.Severity, cell(r.Meaning), slug, slug),
		runbookTableChinese: fmt.Sprintf("| `%s` | %s | %s | [%s.zh-CN.md](%s.zh-CN.md) |\n", r.Alert, chinese[r.Severity], cell(r.MeaningChinese), slug, slug),
	} {
		data, err := os.ReadFile(filepath.Join(repo, path))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if files[path], err = withRow(path, string(data), row); err != nil {
			return nil, err
		}
		changed = append(changed, path)
	}
	return changed, nil
}

// cell is a sentence as it stands in a table.
func cell(sentence string) string { return strings.TrimRight(sentence, ".。") }

// withRow adds a row at the end of a page's first table.
func withRow(path, text, row string) ([]byte, error) {
	lines := strings.SplitAfter(text, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, "|") && (i+1 == len(lines) || !strings.HasPrefix(lines[i+1], "|")) {
			return []byte(strings.Join(slices.Insert(lines, i+1, row), "")), nil
		}
	}
	return nil, fmt.Errorf("%s has no table of alerts to add a row to", path)
}
