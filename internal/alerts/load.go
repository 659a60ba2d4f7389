package alerts

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
)

// Problem is one thing that is wrong with a rule file.
type Problem struct {
	File string
	// Line counts from 1; 0 means the file as a whole.
	Line    int
	Message string
}

func (p Problem) Error() string {
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s", p.File, p.Message)
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Message)
}

// Problems is everything that is wrong, in order of file and line.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// IsRuleFile tells rule files from what may lie beside them: *.test.yaml are unit tests for promtool.
func IsRuleFile(name string) bool {
	return strings.HasSuffix(name, ".yaml") && !strings.HasSuffix(name, ".test.yaml")
}

// LoadDir reads every rule file of a directory and checks that no alert, uid or group stands in two of them. The error
// is of type [Problems] if a file was read but is wrong.
func LoadDir(fsys fs.FS, dir string) ([]File, error) {
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return nil, fmt.Errorf("reading the rule files: %w", err)
	}

	var files []File
	var problems Problems
	for _, entry := range entries {
		if entry.IsDir() || !IsRuleFile(entry.Name()) {
			continue
		}
		name := path.Join(dir, entry.Name())
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("reading the rule files: %w", err)
		}
		file, err := Load(name, data)
		var wrong Problems
		switch {
		case errors.As(err, &wrong):
			problems = append(problems, wrong...)
		case err != nil:
			return nil, err
		default:
			files = append(files, file)
		}
	}

	problems = append(problems, doubles(files)...)
	if len(problems) > 0 {
		return nil, problems
	}
	return files, nil
}

// Load reads one rule file strictly: a field that it doesn't know is an error. name is for messages only. The error is
// of type [Problems].
func Load(name string, data []byte) (File, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		return File{}, Problems{yamlProblem(name, err)}
	}
	if len(document.Content) == 0 {
		return File{}, Problems{{File: name, Message: "is empty; a rule file has groups"}}
	}

	problems := unknownFields(name, document.Content[0], reflect.TypeFor[File](), "a rule file")

	file := File{Path: name}
	if err := document.Decode(&file); err != nil {
		var types *yaml.TypeError
		if !errors.As(err, &types) {
			return File{}, append(problems, yamlProblem(name, err))
		}
		for _, message := range types.Errors {
			problems = append(problems, yamlProblem(name, errors.New(message)))
		}
		problems.sort()
		return File{}, problems
	}

	problems = append(problems, check(file)...)
	if len(problems) > 0 {
		problems.sort()
		return File{}, problems
	}
	return file, nil
}

func (p Problems) sort() {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:unmarshal errors:\s*)?line (\d+): (.*)$`)

// yamlProblem takes the line out of what the YAML library says, since it only has it as text.
func yamlProblem(name string, err error) Problem {
	problem := Problem{File: name, Message: strings.TrimPrefix(err.Error(), "yaml: ")}
	if match := yamlLine.FindStringSubmatch(err.Error()); match != nil {
		fmt.Sscan(match[1], &problem.Line)
		problem.Message = match[2]
	}
	if what, ok := strings.CutPrefix(problem.Message, "cannot unmarshal !!str "); ok && strings.HasSuffix(what, "into float64") {
		problem.Message = fmt.Sprintf("%s is no number", strings.TrimSuffix(what, " into float64"))
	}
	return problem
}

// unknownFields walks the document beside the type it is decoded into, since the library's own strict mode stops
// telling after the first kind of error.
func unknownFields(name string, node *yaml.Node, typ reflect.Type, what string) Problems {
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	var problems Problems
	switch {
	case node.Kind == yaml.SequenceNode && typ.Kind() == reflect.Slice:
		for _, item := range node.Content {
			problems = append(problems, unknownFields(name, item, typ.Elem(), what)...)
		}
	case node.Kind == yaml.MappingNode && typ.Kind() == reflect.Struct:
		fields := map[string]reflect.Type{}
		var known []string
		for i := range typ.NumField() {
			if tag := typ.Field(i).Tag.Get("yaml"); tag != "" && tag != "-" {
				fields[tag] = typ.Field(i).Type
				known = append(known, tag)
			}
		}
		slices.Sort(known)
		for i := 0; i+1 < len(node.Content); i += 2 {
			key := node.Content[i]
			field, ok := fields[key.Value]
			if !ok {
				problems = append(problems, Problem{File: name, Line: key.Line,
					Message: fmt.Sprintf("unknown field %q in %s; known are %s", key.Value, what, strings.Join(known, ", "))})
				continue
			}
			problems = append(problems, unknownFields(name, node.Content[i+1], field, names[key.Value])...)
		}
	}
	return problems
}

// names says what a field holds, for messages.
var names = map[string]string{"groups": "a group", "rules": "a rule", "threshold": "threshold", "panel": "panel"}

// UnmarshalYAML notes the line.
func (g *Group) UnmarshalYAML(node *yaml.Node) error {
	type plain Group
	g.line = node.Line
	return node.Decode((*plain)(g))
}

// UnmarshalYAML notes the line.
func (r *Rule) UnmarshalYAML(node *yaml.Node) error {
	type plain Rule
	r.line = node.Line
	return node.Decode((*plain)(r))
}

// Prometheus takes any text as an alert's name; a name without spaces can be a key of Terraform's `overrides`.
var alertName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

var uid = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,40}$`)

func check(file File) Problems {
	var problems Problems
	if len(file.Groups) == 0 {
		problems = append(problems, Problem{File: file.Path, Message: "has no groups"})
	}
	for _, group := range file.Groups {
		say := func(format string, args ...any) {
			problems = append(problems, Problem{File: file.Path, Line: group.line, Message: fmt.Sprintf(format, args...)})
		}
		if group.Name == "" {
			say("a group has no name")
		}
		if len(group.Rules) == 0 {
			say("group %q has no rules", group.Name)
		}
		// The limit is Grafana's scheduler, which ticks every ten seconds.
		if interval, err := group.Interval.Parse(); err != nil || interval <= 0 || interval%10_000 != 0 {
			say("interval of group %q is %q; write 10s or a multiple of that", group.Name, group.Interval)
		}
		for _, rule := range group.Rules {
			problems = append(problems, checkRule(file.Path, rule)...)
		}
	}
	return problems
}

func checkRule(name string, rule Rule) Problems {
	var problems Problems
	say := func(format string, args ...any) {
		problems = append(problems, Problem{File: name, Line: rule.line, Message: fmt.Sprintf("rule %q: ", rule.Alert) + fmt.Sprintf(format, args...)})
	}

	if !alertName.MatchString(rule.Alert) {
		say("alert is %q; write a name such as GoThreadsHigh", rule.Alert)
	}
	if !uid.MatchString(rule.UID) {
		say("uid is %q; write 1 to 40 letters, digits, '-' and '_'", rule.UID)
	}
	if rule.Expr == "" {
		say("expr is missing")
	} else if _, err := parser.NewParser(parser.Options{}).ParseExpr(rule.Expr); err != nil {
		say("expr is no PromQL: %v", err)
	}
	for _, field := range []struct {
		name     string
		duration Duration
	}{{"for", rule.For}, {"keep_firing_for", rule.KeepFiringFor}, {"window", rule.Window}} {
		if _, err := field.duration.Parse(); field.duration != "" && err != nil {
			say("%s is %q, which is no duration such as 5m", field.name, field.duration)
		}
	}
	if rule.Window != "" && !strings.Contains(rule.Expr, "["+string(rule.Window)+"]") {
		say("window is %s, but expr has no [%s]", rule.Window, rule.Window)
	}
	if (rule.Threshold.Above == nil) == (rule.Threshold.Below == nil) {
		say("threshold has to be one of {above: 8} and {below: 1}")
	}
	oneOf := func(field, value string, known ...string) {
		if !slices.Contains(known, value) {
			say("%s is %q; write %s", field, value, strings.Join(known, ", "))
		}
	}
	oneOf("unit", cmp.Or(rule.Unit, "short"), "bytes", "percent", "seconds", "short")
	oneOf("no_data_state", rule.NoDataState, "NoData", "OK", "Alerting")
	oneOf("exec_err_state", rule.ExecErrState, "Error", "OK", "Alerting")
	oneOf("label severity", rule.Labels["severity"], "critical", "warning", "info")
	for _, annotation := range []string{"summary", "description", "runbook_url"} {
		if rule.Annotations[annotation] == "" {
			say("annotation %s is missing", annotation)
		}
	}
	if rule.Panel != nil && (rule.Panel.Dashboard == "" || rule.Panel.ID == 0) {
		say("panel needs both dashboard and id")
	}
	return problems
}

// Parse returns the span in milliseconds.
func (d Duration) Parse() (int64, error) {
	span, err := model.ParseDuration(string(d))
	if err != nil {
		return 0, fmt.Errorf("parsing a duration: %w", err)
	}
	return int64(span) / 1_000_000, nil
}

func doubles(files []File) Problems {
	var problems Problems
	seen := map[string]string{}
	add := func(kind, name string, file File, line int) {
		at := fmt.Sprintf("%s:%d", file.Path, line)
		if first, ok := seen[kind+name]; ok {
			problems = append(problems, Problem{File: file.Path, Line: line, Message: fmt.Sprintf("the %s %q is already used at %s", kind, name, first)})
			return
		}
		seen[kind+name] = at
	}
	for _, file := range files {
		for _, group := range file.Groups {
			add("group", group.Name, file, group.line)
			for _, rule := range group.Rules {
				add("alert", rule.Alert, file, rule.line)
				add("uid", rule.UID, file, rule.line)
			}
		}
	}
	return problems
}
