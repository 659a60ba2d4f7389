package rules

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"lookout/internal/dashboard"
	"lookout/internal/promql"
	"lookout/internal/slo"
)

// ReadDir reads every rule file of a directory (*.yaml, but for unit tests).
func ReadDir(fsys fs.FS, dir string) ([]*File, error) {
	found, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return nil, fmt.Errorf("reading the rule files: %w", err)
	}
	var files []*File
	for _, e := range found {
		if e.IsDir() || !strings.HasSuffix(e.Name(), ".yaml") || IsTest(e.Name()) {
			continue
		}
		name := path.Join(dir, e.Name())
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("reading the rule files: %w", err)
		}
		files = append(files, Read(name, data))
	}
	return files, nil
}

// CheckOwn says all that is wrong with files that have to be in Lookout's own form, each by itself and with each other. keyword has to stand in every summary;
// "" is not asked for.
func CheckOwn(files []*File, parser *promql.Parser, keyword string) Problems {
	var problems Problems
	for _, f := range files {
		problems = append(problems, f.Problems...)
		if f.Form != Own {
			if len(f.Problems.Serious()) == 0 {
				problems.add(Problem{Position: dashboard.Position{File: f.Path, Line: 1, Column: 1}, Kind: KindFile, Message: fmt.Sprintf("is not a rule file of Lookout but %s; write groups of rules that have uid and threshold", f.Form)})
			}
			continue
		}
		for _, r := range f.Rules() {
			if p := r.CheckQuery(parser.Parse(r.Expr, nil)); p != nil {
				problems.add(*p)
			}
			if p := r.CheckKeyword(keyword); p != nil {
				problems.add(*p)
			}
		}
	}
	problems = append(problems, Doubles(files)...)
	problems.sort()
	return problems
}

// CheckPlain says all that Prometheus would refuse of files in its own form, in Kubernetes' or in ConfigMaps.
func CheckPlain(files []*File, parser *promql.Parser) Problems {
	var problems Problems
	for _, f := range files {
		problems = append(problems, f.Problems...)
		for _, r := range f.Rules() {
			if p := r.CheckQuery(parser.Parse(r.Expr, nil)); p != nil {
				problems.add(*p)
			}
		}
	}
	problems.sort()
	return problems
}

// CheckKeyword says whether the summary lacks the keyword that a robot's security settings ask for: without it DingTalk drops the message.
func (r *Rule) CheckKeyword(keyword string) *Problem {
	if keyword == "" || !r.Own() || r.Alert == "" || r.Annotation("summary") == "" || strings.Contains(r.Annotation("summary"), keyword) {
		return nil
	}
	return &Problem{Position: r.annotationPlace("summary"), Kind: KindRule, Rule: r.Name(), Message: fmt.Sprintf("the summary lacks the keyword %s, without which DingTalk drops the message; write it there", keyword)}
}

func (r *Rule) annotationPlace(name string) dashboard.Position {
	for _, p := range r.Annotations {
		if p.Name == name {
			return r.src.of(p.key)
		}
	}
	return r.Place("annotations")
}

// Doubles says which alerts, uids and groups of Lookout's own form stand twice: they are identifiers in Terraform, Grafana and Prometheus.
func Doubles(files []*File) Problems {
	var problems Problems
	first := map[string]dashboard.Position{}
	add := func(what, name string, at dashboard.Position) {
		if name == "" {
			return
		}
		if was, ok := first[what+name]; ok {
			problems.add(Problem{Position: at, Kind: KindRule, Message: fmt.Sprintf("the %s %q is already used at %s:%d", what, name, was.File, was.Line)})
			return
		}
		first[what+name] = at
	}
	for _, f := range files {
		if f.Form != Own {
			continue
		}
		file := map[string]bool{}
		for _, g := range f.Groups {
			if !file[g.Name] { // in one file it has been said already
				add("group", g.Name, g.Position("name"))
			}
			file[g.Name] = true
			for _, r := range g.Rules {
				add("alert", r.Alert, r.Place("alert"))
				add("uid", r.UID, r.Place("uid"))
			}
		}
	}
	return problems
}

// Panels are the ids of the panels of each dashboard by its uid, which is its file's name.
type Panels map[string]map[string]bool

// ReadPanels reads which panels the dashboards <dir>/<folder>/<uid>.json have. A file that is not a dashboard has none; others say so.
func ReadPanels(fsys fs.FS, dir string) (Panels, error) {
	panels := Panels{}
	found, err := fs.Glob(fsys, path.Join(dir, "*", "*.json"))
	if err != nil {
		return nil, err
	}
	for _, name := range found {
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, err
		}
		panels[strings.TrimSuffix(path.Base(name), ".json")] = panelIDs(data)
	}
	return panels, nil
}

type panelJSON struct {
	ID     json.Number `json:"id"`
	Panels []panelJSON `json:"panels"`
}

func panelIDs(data []byte) map[string]bool {
	type spec struct {
		Panels   []panelJSON `json:"panels"`
		Elements map[string]struct {
			Spec struct {
				ID json.Number `json:"id"`
			} `json:"spec"`
		} `json:"elements"`
	}
	var doc struct {
		spec
		Spec spec `json:"spec"`
	}
	ids := map[string]bool{}
	if json.Unmarshal(data, &doc) != nil {
		return ids
	}
	for _, s := range []spec{doc.spec, doc.Spec} {
		for _, p := range s.Panels {
			ids[p.ID.String()] = true
			for _, inner := range p.Panels {
				ids[inner.ID.String()] = true
			}
		}
		for _, e := range s.Elements {
			ids[e.Spec.ID.String()] = true
		}
	}
	return ids
}

// CheckPanels says which links lead nowhere.
func (p Panels) CheckPanels(files []*File) Problems {
	var problems Problems
	for _, f := range files {
		for _, r := range f.Rules() {
			if r.Panel == nil {
				continue
			}
			say := func(format string, args ...any) {
				problems.add(Problem{Position: r.Place("panel"), Kind: KindRule, Rule: r.Name(), Message: fmt.Sprintf(format, args...)})
			}
			switch ids, ok := p[r.Panel.Dashboard]; {
			case !ok:
				var known []string
				for uid := range p {
					known = append(known, uid)
				}
				slices.Sort(known)
				say("there is no dashboard %q; known are %s", r.Panel.Dashboard, strings.Join(known, ", "))
			case !ids[strconv.Itoa(r.Panel.ID)]:
				say("dashboard %q has no panel %d", r.Panel.Dashboard, r.Panel.ID)
			}
		}
	}
	return problems
}

// CheckRepository says all that is wrong with the rules of a repository: alerts/*.yaml, the panels they link to in dashboards/, the runbooks they name, and
// envs/<env>/alerts.yaml.
func CheckRepository(fsys fs.FS, parser *promql.Parser, keyword string) ([]*File, Problems, error) {
	files, err := ReadDir(fsys, "alerts")
	if err != nil {
		return nil, nil, err
	}
	problems := CheckOwn(files, parser, keyword)
	unread, err := notApplied(fsys, "alerts")
	if err != nil {
		return nil, nil, err
	}
	problems = append(problems, unread...)
	problems = append(problems, objectives(fsys)...)
	panels, err := ReadPanels(fsys, "dashboards")
	if err != nil {
		return nil, nil, err
	}
	if len(panels) > 0 {
		problems = append(problems, panels.CheckPanels(files)...)
	}
	settings, err := fs.Glob(fsys, "envs/*/alerts.yaml")
	if err != nil {
		return nil, nil, err
	}
	// What a broken file would have held is not missing.
	if !slices.ContainsFunc(files, func(f *File) bool { return len(f.Problems) > 0 }) {
		for _, name := range settings {
			data, err := fs.ReadFile(fsys, name)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, nil, err
			}
			problems = append(problems, ReadSettings(name, data).Check(files)...)
		}
	}
	problems.sort()
	return files, problems, nil
}

// objectives says what is wrong with slos/*.yaml, and which files are not what is made of them.
func objectives(fsys fs.FS) (problems Problems) {
	say := func(name, format string, args ...any) {
		problems.add(Problem{Position: dashboard.Position{File: name, Line: 1, Column: 1}, Kind: KindFile, Message: fmt.Sprintf(format, args...)})
	}
	stale, err := slo.Stale(fsys, "slos", "alerts")
	if err != nil {
		say("slos", "the objectives cannot be read: %v", err)
	}
	for _, name := range stale {
		say(name, "it is not what slos/ says; run `lookout rules slo`")
	}
	return problems
}

// notApplied names the rule files below a directory that nothing applies: Terraform reads *.yaml in it, but not in folders.
func notApplied(fsys fs.FS, dir string) (problems Problems, err error) {
	err = fs.WalkDir(fsys, dir, func(name string, e fs.DirEntry, err error) error {
		switch ext := path.Ext(name); {
		case err != nil:
			return err
		case e.IsDir() && strings.HasPrefix(e.Name(), "."):
			return fs.SkipDir
		case e.IsDir() || IsTest(name) || ext != ".yaml" && ext != ".yml" || ext == ".yaml" && path.Dir(name) == dir:
			return nil
		}
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return fmt.Errorf("reading the rule files: %w", err)
		}
		if f := Read(name, data); f.Holds() {
			problems.add(Problem{Position: dashboard.Position{File: name, Line: 1, Column: 1}, Kind: KindFile,
				Message: fmt.Sprintf("holds rules that are not applied: only %s/*.yaml is; move it to %s/%s.yaml", dir, dir, strings.TrimSuffix(path.Base(name), path.Ext(name)))})
		}
		return nil
	})
	return problems, err
}
