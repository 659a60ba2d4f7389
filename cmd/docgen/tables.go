package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/terraform-config-inspect/tfconfig"

	"lookout/internal/lint"
	"lookout/internal/program"
	"lookout/internal/rules"
)

// cell is text in a cell of a table.
func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", "\\|")
}

func module(dir string) (*tfconfig.Module, error) {
	m, problems := tfconfig.LoadModule(dir)
	if problems.HasErrors() {
		return nil, problems
	}
	return m, nil
}

// longest is how long a type or a default may be in a table; of a longer type the constructors are shown, of a longer default where it stands.
const longest = 60

func inputs(dir string) (string, error) {
	m, err := module(dir)
	if err != nil {
		return "", err
	}
	if len(m.Variables) == 0 {
		return "None.", nil
	}
	var b strings.Builder
	b.WriteString("| input | type | default | meaning |\n|---|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(m.Variables)) {
		v := m.Variables[name]
		fallback := "required"
		if !v.Required {
			data, err := json.Marshal(v.Default)
			if err != nil {
				return "", fmt.Errorf("default of %s: %w", name, err)
			}
			fallback = "`" + string(data) + "`"
			if len(data) > longest {
				fallback = "see [variables.tf](variables.tf)"
			}
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", name, shortType(v.Type), cell(fallback), cell(v.Description))
	}
	return b.String(), nil
}

// shortType is a type on one line; of one that is too long the fields of its objects are left out.
func shortType(t string) string {
	t = strings.Join(strings.Fields(t), " ")
	for at := 0; len(t) > longest; {
		i := strings.Index(t[at:], "object({")
		if i < 0 {
			break
		}
		at += i + len("object(")
		depth, end := 1, at
		for ; depth > 0 && end < len(t); end++ {
			switch t[end] {
			case '(':
				depth++
			case ')':
				depth--
			}
		}
		t = t[:at] + "…" + t[end-1:]
	}
	return t
}

func outputs(dir string) (string, error) {
	m, err := module(dir)
	if err != nil {
		return "", err
	}
	if len(m.Outputs) == 0 {
		return "None.", nil
	}
	var b strings.Builder
	b.WriteString("| output | meaning |\n|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(m.Outputs)) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, cell(m.Outputs[name].Description))
	}
	return b.String(), nil
}

// flags asks a program of this repository for the tables of its flags.
func flags(ctx context.Context, repo, pkg string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "run", "./"+pkg, program.DescribeFlags)
	cmd.Dir = repo
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w\n%s", err, exit.Stderr)
		}
		return "", fmt.Errorf("go run ./%s %s: %w", pkg, program.DescribeFlags, err)
	}
	return string(out), nil
}

func lintRules() string {
	all := lint.Rules()
	var b strings.Builder
	fmt.Fprintf(&b, "There are %d rules.\n\n| Rule | Severity | What is wrong |\n|---|---|---|\n", len(all))
	for _, r := range all {
		fmt.Fprintf(&b, "| [%s](%s.md) | %s | %s |\n", r.ID, r.ID, r.Severity, cell(r.Summary))
	}
	return b.String()
}

var row = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| [^|]* \\| ([^|]*) \\|")

// alerts lists the shipped alerts in the order of their files, with their runbooks. What an alert means is said in the page: it is kept, and
// taken from the alert's summary where the page lacks the alert.
func alerts(dir, page, now string, chinese bool) (string, error) {
	meaning := map[string]string{}
	for _, m := range row.FindAllStringSubmatch(now, -1) {
		meaning[m[1]] = m[2]
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return "", err
	}
	var b strings.Builder
	n := 0
	severities := map[string]string{"critical": "critical", "warning": "warning", "info": "info"}
	head, suffix := "There are %d alerts.\n\n| alert | severity | meaning | file |\n|---|---|---|---|\n", ""
	if chinese {
		severities = map[string]string{"critical": "严重", "warning": "警告", "info": "提示"}
		head, suffix = "共 %d 条报警。\n\n| 报警 | 级别 | 含义 | 文件 |\n|---|---|---|---|\n", ".zh-CN"
	}
	for _, name := range files {
		if strings.HasSuffix(name, ".test.yaml") {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		f := rules.Read(name, data)
		for _, p := range f.Problems {
			if !p.Minor {
				return "", fmt.Errorf("%s: %s", p.Position, p.Message)
			}
		}
		for _, r := range f.Rules() {
			if r.Alert == "" {
				continue
			}
			n++
			runbook := path.Base(strings.TrimSuffix(value(r.Annotations, "runbook_url"), ".md"))
			file := runbook + suffix + ".md"
			fmt.Fprintf(&b, "| `%s` | %s | %s | [%s](%s) |\n", r.Alert, severities[value(r.Labels, "severity")], cmp.Or(meaning[r.Alert], cell(value(r.Annotations, "summary"))), file, file)
		}
	}
	return fmt.Sprintf(head, n) + b.String(), nil
}

func value(pairs []rules.Pair, name string) string {
	for _, p := range pairs {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

// moved lists the moved blocks of all Terraform configurations: what an upgrade renames in a state.
func moved(repo string) (string, error) {
	var b strings.Builder
	b.WriteString("| in | was | is |\n|---|---|---|\n")
	n := 0
	for _, pattern := range []string{"modules/*/*.tf", "modules/*/*/*.tf", "stacks/*/*.tf", "envs/*/*/*.tf"} {
		files, err := filepath.Glob(filepath.Join(repo, filepath.FromSlash(pattern)))
		if err != nil {
			return "", err
		}
		for _, name := range files {
			data, err := os.ReadFile(name)
			if err != nil {
				return "", err
			}
			file, problems := hclsyntax.ParseConfig(data, name, hcl.InitialPos)
			if problems.HasErrors() {
				return "", problems
			}
			rel, err := filepath.Rel(repo, filepath.Dir(name))
			if err != nil {
				return "", err
			}
			for _, block := range file.Body.(*hclsyntax.Body).Blocks {
				from, to := block.Body.Attributes["from"], block.Body.Attributes["to"]
				if block.Type != "moved" || from == nil || to == nil {
					continue
				}
				n++
				text := func(a *hclsyntax.Attribute) string { return string(a.Expr.Range().SliceBytes(data)) }
				fmt.Fprintf(&b, "| `%s` | `%s` | `%s` |\n", filepath.ToSlash(rel), text(from), text(to))
			}
		}
	}
	return fmt.Sprintf("%d `moved` blocks.\n\n", n) + b.String(), nil
}
