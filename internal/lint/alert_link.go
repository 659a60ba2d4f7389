package lint

import (
	"os"
	"path"
	"path/filepath"
	"strings"

	"lookout/internal/finding"
	"lookout/internal/rules"
)

var alertLink = &Rule{
	ID: "alert-link", Severity: finding.Error,
	Summary: "An alert names a runbook that is not there, or a panel that does not exist.",
	RuleFile: func(p *Pass) {
		root, ok := repositoryOf(p.file)
		if !ok {
			return
		}
		for _, r := range p.Rules.Rules() {
			for _, a := range r.Annotations {
				if a.Name != "runbook_url" && a.Name != "runbook" || strings.Contains(a.Value, ":") || strings.Contains(a.Value, "{{") || !strings.HasSuffix(a.Value, ".md") {
					continue
				}
				if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(a.Value))); os.IsNotExist(err) {
					p.Alert(r, r.PlaceOf(a, 0), "there is no file %s in this repository", a.Value)
				}
			}
		}
		if p.linter.panels == nil {
			p.linter.panels = map[string]rules.Panels{}
		}
		panels, ok := p.linter.panels[root]
		if !ok {
			var err error
			if panels, err = rules.ReadPanels(os.DirFS(root), "dashboards"); err != nil {
				panels = nil
			}
			p.linter.panels[root] = panels
		}
		if len(panels) == 0 {
			return
		}
		for _, problem := range panels.CheckPanels([]*rules.File{p.Rules}) {
			p.add("", nil, problem.Position, problem.Rule, problem.Message)
		}
	},
}

// repositoryOf is the directory that holds alerts/, for a file in there.
func repositoryOf(file string) (root string, ok bool) {
	dir := path.Dir(filepath.ToSlash(file))
	if path.Base(dir) != "alerts" {
		return "", false
	}
	return path.Dir(dir), true
}
