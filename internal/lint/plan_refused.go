package lint

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/prometheus/common/model"

	"lookout/internal/dashboard"
	"lookout/internal/finding"
	"lookout/internal/source"
)

const planRefusedID = "plan-refused"

// The defaults of modules/dashboards: how a folder's uid begins, and the fastest refresh that Grafana allows.
const (
	folderUIDPrefix    = "lookout-"
	minRefreshInterval = 5 * time.Second
)

// planRefused says what modules/dashboards/files says while planning, of the dashboards that are applied. What depends on an environment (Grafana's version, titles of
// folders) only the plan knows.
var planRefused = &Rule{
	ID: planRefusedID, Severity: finding.Error,
	Summary: "Terraform refuses the dashboard while planning: its place, its name, its title or its form.",
	Dashboard: func(p *Pass) {
		at, ok := p.linter.applied.place(p.file)
		if !ok {
			return
		}
		d := p.Dashboard
		title, uid := d.Root.Get("title"), d.UIDNode
		if uid == nil {
			uid = d.Root
		}
		if title == nil {
			title = d.Root
		}
		name := strings.TrimSuffix(path.Base(p.file), path.Ext(p.file))
		if at.folder == "" || strings.Contains(at.folder, "/") {
			p.Node(d.Root, "it is not in a folder: dashboards live in dashboards/<folder>/<uid>.json")
		}
		switch {
		case d.Form == dashboard.V2Spec:
			p.Node(d.Root, "it is the bare spec of schema V2, which Grafana takes only inside its resource (apiVersion, kind, metadata, spec)")
		case d.Form == dashboard.Classic && d.Envelope != nil:
			p.Node(d.Root, "it is an answer of Grafana's API; keep what is in its field \"dashboard\"")
		}
		if d.UID != name {
			p.Node(uid, "the uid is %q and the file is called %s: both must be the same", d.UID, path.Base(p.file))
		}
		if d.UID == folderUIDPrefix+at.folder {
			p.Node(uid, "the uid is that of its folder, which Grafana refuses")
		}
		if trimmed := strings.TrimSpace(d.Title); trimmed != d.Title && trimmed != "" {
			p.Node(title, "there are blanks around the title, which Grafana cuts off: write %q", trimmed)
		}
		if strings.EqualFold(strings.TrimSpace(d.Title), folderTitle(at.folder)) && at.folder != "" {
			p.Node(title, "the title is that of the folder %s, which Grafana refuses", at.folder)
		}
		refresh := d.Root.Get("refresh")
		if every, err := model.ParseDuration(refresh.Text()); err == nil && every > 0 && time.Duration(every) < minRefreshInterval {
			p.Node(refresh, "it refreshes every %s, which Grafana raises to %s: write at least that", refresh.Text(), model.Duration(minRefreshInterval))
		}
		d.Root.Walk(func(n *dashboard.Node) bool {
			if n.Is(dashboard.String) && strings.Contains(n.Text(), "\x00") {
				p.Node(n, "a text has the character U+0000, which Grafana refuses: remove \\u0000")
			}
			return true
		})
		key := at.top + "\x00" + at.folder + "\x00" + strings.ToLower(strings.TrimSpace(d.Title))
		pos := title.Pos()
		f := finding.Finding{Rule: planRefusedID, Severity: finding.Error, File: pos.File, Line: pos.Line, Column: pos.Column, Dashboard: strings.Clone(d.Name())}
		p.linter.titles[key] = append(p.linter.titles[key], uidUse{f, p.Config.Silences.Cover(f, d.UID, "", title)})
	},
	// All files with the title are named, as with duplicate-uid.
	Finish: func(l *Linter) {
		for _, uses := range l.titles {
			for i, u := range uses {
				if len(uses) < 2 {
					break
				}
				if u.silenced {
					l.result.Silenced++
					continue
				}
				u.finding.Message = fmt.Sprintf("the title is also that of %s, which Grafana refuses within a folder", uses[(i+1)%len(uses)].finding.File)
				l.result.Findings = append(l.result.Findings, u.finding)
			}
		}
	},
}

// folderTitle is the title that modules/dashboards gives a directory: each word with a capital.
func folderTitle(directory string) string {
	words := strings.Fields(strings.ReplaceAll(directory, "-", " "))
	for i, w := range words {
		r := []rune(w)
		r[0] = unicode.ToUpper(r[0])
		words[i] = string(r)
	}
	return strings.Join(words, " ")
}

// applied knows which files Terraform applies: those below dashboards/ of a repository that has a content root.
type applied struct {
	// top is the repository, where it is known; names of files are relative to it then.
	top string
	// tops are the repositories by the directory of a file, "" for those that apply none.
	tops map[string]string
}

// Applies makes the linter take the files for those of a repository that Terraform applies; their names are relative to its top.
func (l *Linter) Applies(top string) { l.applied.top = top }

// appliedPlace is where an applied file stands: its repository, and the path of its directory below dashboards/.
type appliedPlace struct{ top, folder string }

func (a *applied) place(file string) (at appliedPlace, ok bool) {
	if file == source.StdinName {
		return at, false
	}
	if a.top != "" {
		folder, ok := strings.CutPrefix(path.Dir(file)+"/", "dashboards/")
		return appliedPlace{a.top, strings.TrimSuffix(folder, "/")}, ok
	}
	abs, err := filepath.Abs(file)
	if err != nil {
		return at, false
	}
	dir := filepath.Dir(abs)
	top, known := a.tops[dir]
	if !known {
		top = source.Top(abs)
		roots := slices.Concat(glob(filepath.Join(top, "envs", "*", "content", "*.tf")), glob(filepath.Join(top, "content", "*.tf")))
		if len(roots) == 0 {
			top = ""
		}
		if a.tops == nil {
			a.tops = map[string]string{}
		}
		a.tops[dir] = top
	}
	if top == "" {
		return at, false
	}
	rel, err := filepath.Rel(filepath.Join(top, "dashboards"), dir)
	if err != nil || !filepath.IsLocal(rel) {
		return at, false
	}
	if rel == "." {
		rel = ""
	}
	return appliedPlace{top, filepath.ToSlash(rel)}, true
}

func glob(pattern string) []string {
	found, err := filepath.Glob(pattern)
	if err != nil {
		return nil
	}
	return found
}
