package pull

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"lookout/internal/dashboard"
	"lookout/internal/rules"
)

// redLines are the thresholds that environments have instead of those in the dashboards' files, by uid and panel id: modules/dashboards applies them.
type redLines map[string]map[int64][]redLine

// redLine is a threshold of one environment.
type redLine struct {
	alert, env string
	value      float64
}

// readLines reads what the environments, or the one named, say of alerts that have a panel.
func readLines(env string) (redLines, error) {
	out := redLines{}
	settings, err := filepath.Glob("envs/*/alerts.yaml")
	if err != nil {
		return nil, err
	}
	if env != "" {
		if _, err := os.Stat("envs/" + env); err != nil {
			return nil, fmt.Errorf("there is no environment %q (envs/%s)", env, env)
		}
		name := "envs/" + env + "/alerts.yaml"
		settings = slices.DeleteFunc(settings, func(s string) bool { return filepath.ToSlash(s) != name })
	}
	if len(settings) == 0 {
		return out, nil
	}
	files, err := rules.ReadDir(os.DirFS("."), "alerts")
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	alerts := map[string]*rules.Rule{}
	for _, f := range files {
		for _, r := range f.Rules() {
			if r.Panel != nil {
				alerts[r.Alert] = r
			}
		}
	}
	for _, name := range settings {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		for alert, o := range rules.ReadSettings(name, data).Overrides {
			r := alerts[alert]
			if r == nil || o.Threshold == nil {
				continue
			}
			if out[r.Panel.Dashboard] == nil {
				out[r.Panel.Dashboard] = map[int64][]redLine{}
			}
			id := int64(r.Panel.ID)
			out[r.Panel.Dashboard][id] = append(out[r.Panel.Dashboard][id], redLine{alert, path.Base(path.Dir(filepath.ToSlash(name))), o.Threshold.Value})
		}
	}
	return out, nil
}

// restore gives what Grafana holds with the red lines of the file, where an environment has its own: those are neither drift nor an edit of the file. A red line that
// is neither the file's nor an environment's stays, and is an edit like any other.
func (l redLines) restore(local, remote *dashboard.Dashboard) (*dashboard.Dashboard, error) {
	lines := l[local.UID]
	if len(lines) == 0 {
		return remote, nil
	}
	type pair struct{ from, to *dashboard.Node }
	var pairs []pair
	for _, theirs := range remote.Panels {
		if !theirs.HasID || len(lines[theirs.ID]) == 0 {
			continue
		}
		at := slices.IndexFunc(local.Panels, func(p *dashboard.Panel) bool { return p.HasID && p.ID == theirs.ID })
		if at < 0 {
			continue
		}
		from, to := thresholds(remote, theirs), thresholds(local, local.Panels[at])
		if from == nil || to == nil || !slices.ContainsFunc(lines[theirs.ID], func(r redLine) bool { return isLine(from, r.value) }) {
			continue
		}
		pairs = append(pairs, pair{from, to})
	}
	if len(pairs) == 0 {
		return remote, nil
	}
	for _, p := range pairs {
		p.from.Replace(p.to.Clone())
	}
	return dashboard.Load(remote.File(), remote.Doc.Root.JSON())
}

// thresholds is where they stand in the file.
func thresholds(d *dashboard.Dashboard, p *dashboard.Panel) *dashboard.Node {
	n := p.Node.Path("fieldConfig", "defaults", "thresholds")
	if n == nil {
		return nil
	}
	return d.SourceNode(n)
}

// isLine reports whether thresholds are what modules/dashboards writes for a value: one step below it and one from it on.
func isLine(thresholds *dashboard.Node, value float64) bool {
	steps := thresholds.Get("steps")
	if steps.Len() != 2 {
		return false
	}
	v, ok := steps.At(1).Get("value").Float()
	return ok && v == value
}
