package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/prometheus/alertmanager/matcher/parse"
	"github.com/zclconf/go-cty/cty"

	"lookout/internal/alertlist"
	"lookout/internal/drill"
	"lookout/internal/mutate"
	"lookout/internal/review"
	"lookout/internal/rootconfig"
	"lookout/internal/rules"
)

// alertsCmd shows all alert rules in one table.
type alertsCmd struct {
	Format    string   `enum:"text,json,html,markdown" default:"text" help:"text, json, html or markdown."`
	Env       []string `placeholder:"NAME" help:"Only these environments; all of envs/ by default."`
	Mutations string   `placeholder:"FILE" help:"What lookout rules mutate --format json wrote: adds the share of mutations that the tests of each alert notice."`
	Paths     []string `arg:"" optional:"" name:"path" help:"Rule files, or directories of them. Default: alerts/."`
}

func (c *alertsCmd) Run(a *app) error {
	files, err := a.readRules(c.Paths)
	if err != nil {
		return err
	}
	environments := c.Env
	if len(environments) == 0 {
		found, err := filepath.Glob("envs/*/platform")
		if err != nil {
			return err
		}
		for _, dir := range found {
			environments = append(environments, filepath.Base(filepath.Dir(dir)))
		}
	}
	var all []alertlist.Environment
	for _, name := range environments {
		if err := review.CheckEnvironment(name); err != nil {
			return err
		}
		e, err := environmentOf(name)
		if err != nil {
			return err
		}
		all = append(all, e)
	}
	sets, err := mutate.Load(files)
	if err != nil {
		return err
	}
	tests := map[string]int{}
	for _, set := range sets {
		for _, u := range set.Tests {
			for _, g := range u.Groups {
				about := map[string]bool{}
				for _, one := range g.Cases {
					about[one.Alert] = true
				}
				for name := range about {
					tests[name]++
				}
			}
		}
	}
	scores, err := readScores(c.Mutations)
	if err != nil {
		return err
	}
	list := alertlist.List(files, all, tests, scores)
	switch c.Format {
	case "json":
		return alertlist.JSON(a.stdout, list)
	case "html":
		return alertlist.HTML(a.stdout, list, environments)
	case "markdown":
		return markdownOf(a.stdout, list, environments)
	}
	return alertlist.Text(a.stdout, list, environments)
}

// markdownOf writes the table of docs/alerts-list.md; links are meant from there.
func markdownOf(w io.Writer, list []alertlist.Alert, environments []string) error {
	return alertlist.Markdown(w, list, environments, func(runbook string) string {
		name, inDocs := strings.CutPrefix(runbook, "docs/")
		if !inDocs {
			return runbook
		}
		return fmt.Sprintf("[%s](%s)", strings.TrimSuffix(filepath.Base(name), ".md"), name)
	})
}

func readScores(name string) (map[string]float64, error) {
	if name == "" {
		return nil, nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var report struct {
		Rules []struct {
			Rule  string  `json:"rule"`
			Score float64 `json:"score"`
		} `json:"rules"`
	}
	if err := json.Unmarshal(data, &report); err != nil || len(report.Rules) == 0 {
		return nil, fmt.Errorf("--mutations %s is not what `lookout rules mutate --format json` writes", name)
	}
	scores := map[string]float64{}
	for _, r := range report.Rules {
		scores[r.Rule] = r.Score
	}
	return scores, nil
}

// environmentOf reads what an environment says of alerts: its settings, its routes, and the drills that were kept here.
func environmentOf(name string) (alertlist.Environment, error) {
	e := alertlist.Environment{Name: name, Drilled: func(alert string) string {
		result, ok, err := drill.Last(".", name, alert)
		if err != nil || !ok {
			return ""
		}
		return result.At.Format("2006-01-02 15:04") + " " + string(result.Verdict)
	}}
	dir := filepath.Join("envs", name, "platform")
	root, err := rootconfig.Load(dir)
	if err != nil {
		return e, fmt.Errorf("the environment %q: %w", name, err)
	}
	settings := "envs/" + name + "/alerts.yaml"
	data, err := os.ReadFile(settings)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return e, err
	}
	if err == nil {
		e.Settings = rules.ReadSettings(settings, data)
		if problems := e.Settings.Problems(); len(problems) > 0 {
			return e, problems
		}
	}
	// What is not set here is not known here: a default is what the files say.
	notification, ok := rootconfig.NewEvaluator(root, nil).Argument("platform", "notification")
	if ok {
		e.Who = func(labels map[string]string) []string { return targetsOf(notification, labels) }
	}
	return e, nil
}

// targetsOf follows the routes of an environment as Alertmanager does: the first that fits, and further ones after one that continues.
func targetsOf(notification cty.Value, labels map[string]string) []string {
	if labels["alertname"] == "Watchdog" {
		return []string{"heartbeat"}
	}
	var out []string
	if routes := rootconfig.Get(notification, "routes"); routes != cty.NilVal && !routes.IsNull() && routes.CanIterateElements() {
		for it := routes.ElementIterator(); it.Next(); {
			_, route := it.Element()
			if !fits(route, labels) {
				continue
			}
			if target := rootconfig.Text(rootconfig.Get(route, "target")); target != "" && !slices.Contains(out, target) {
				out = append(out, target)
			}
			if more := rootconfig.Get(route, "continue"); more == cty.NilVal || more.IsNull() || more.Type() != cty.Bool || more.False() {
				return out
			}
		}
	}
	if target := rootconfig.Text(rootconfig.Get(notification, "default_target")); len(out) == 0 && target != "" {
		out = append(out, target)
	}
	return out
}

func fits(route cty.Value, labels map[string]string) bool {
	ok := true
	rootconfig.Strings(rootconfig.Get(route, "labels"), func(path []string, text string) {
		ok = ok && len(path) == 1 && labels[path[0]] == text
	})
	rootconfig.Strings(rootconfig.Get(route, "matchers"), func(_ []string, text string) {
		matchers, err := parse.Matchers(text)
		ok = ok && err == nil
		for _, m := range matchers {
			ok = ok && m.Matches(labels[m.Name])
		}
	})
	return ok
}
