package console

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"lookout/internal/render"
)

// runbookView is one runbook as HTML without anything that runs or loads.
type runbookView struct {
	Name, Title, HTML, Link string
}

type runbooksView struct {
	None  bool
	Books []runbookView
}

// maxRunbook bounds what is read of one file.
const maxRunbook = 512 << 10

// ownRunbook tells whether an address names a runbook that is served here: docs/runbooks/NAME.md as it stands in the alerts, or NAME below the console's own /runbooks/.
func (s *Server) ownRunbook(address string) (name string, ok bool) {
	u, err := url.Parse(address)
	if err != nil || s.cfg.Runbooks == "" {
		return "", false
	}
	switch {
	case u.Host == "" && u.Scheme == "":
		name = path.Base(u.Path)
	case s.external != nil && strings.EqualFold(u.Host, s.external.Host) && strings.HasPrefix(u.Path, s.base+"/runbooks/"):
		name = strings.TrimPrefix(u.Path, s.base+"/runbooks/")
	default:
		name = path.Base(u.Path) // published elsewhere, and here too
	}
	name = strings.TrimSuffix(name, ".md")
	if _, err := s.readRunbook(name, "en"); err != nil {
		return "", false
	}
	return name, true
}

// readRunbook reads NAME.md, or NAME.zh-CN.md for a Chinese reader if there is one. Names with anything but letters, digits, dots, dashes and underscores do not exist.
func (s *Server) readRunbook(name, lang string) ([]byte, error) {
	valid := name != "" && len(name) < 120 && name[0] != '.' && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	})
	if !valid || s.cfg.Runbooks == "" {
		return nil, fs.ErrNotExist
	}
	root, err := os.OpenRoot(s.cfg.Runbooks) // keeps symbolic links from leading out, too
	if err != nil {
		return nil, err
	}
	defer root.Close()
	names := []string{name + ".md"}
	if lang != "en" {
		names = []string{name + "." + lang + ".md", name + ".md"}
	}
	for _, n := range names {
		f, err := root.Open(n)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
			return nil, fs.ErrNotExist
		}
		return io.ReadAll(io.LimitReader(f, maxRunbook))
	}
	return nil, fs.ErrNotExist
}

// runbookOf is the runbook that a link of this console leads to, nil if it leads elsewhere.
func (s *Server) runbookOf(r *request, link string) *runbookView {
	name, ok := strings.CutPrefix(link, s.base+"/runbooks/")
	if !ok {
		return nil
	}
	text, err := s.readRunbook(name, r.Lang)
	if err != nil {
		return nil
	}
	title, body := splitTitle(string(text))
	return &runbookView{Name: name, Title: cmp.Or(title, name), HTML: s.localLinks(r, name, render.SafeMarkdown(body)), Link: link}
}

// splitTitle takes the first heading off.
func splitTitle(text string) (title, body string) {
	first, rest, _ := strings.Cut(strings.TrimLeft(text, "\ufeff\n\r "), "\n")
	if t, ok := strings.CutPrefix(first, "# "); ok {
		return strings.TrimSpace(t), rest
	}
	return "", text
}

// localLinks makes links between runbook files (other.md, other.zh-CN.md) lead to their pages, which choose the reader's language. A link of
// a runbook to its own translation asks for that language.
func (s *Server) localLinks(r *request, name, html string) string {
	return runbookHref.ReplaceAllStringFunc(html, func(href string) string {
		m := runbookHref.FindStringSubmatch(href)
		lang := ""
		if m[1] == name {
			lang = cmp.Or(strings.TrimPrefix(m[2], "."), "en")
		}
		return `href="` + r.link("/runbooks/"+m[1], "lang", lang) + m[3] + `"`
	})
}

func (s *Server) runbookPage(r *request) error {
	if lang := r.URL.Query().Get("lang"); lang == "en" || lang == "zh-CN" {
		r.Lang = lang
	}
	name := strings.TrimSuffix(r.PathValue("name"), ".md")
	if view := s.runbookOf(r, s.base+"/runbooks/"+name); view != nil {
		return r.render(http.StatusOK, "runbook", view.Title, view)
	}
	return problem(http.StatusNotFound, r.t("There is no runbook “%s”.", name))
}

func (s *Server) runbooksPage(r *request) error {
	view := &runbooksView{None: s.cfg.Runbooks == ""}
	if !view.None {
		entries, err := os.ReadDir(s.cfg.Runbooks)
		if err != nil {
			return problem(http.StatusInternalServerError, r.t("The runbooks cannot be read: %v", err))
		}
		for _, e := range entries {
			name, ok := strings.CutSuffix(e.Name(), ".md")
			if !ok || strings.HasPrefix(name, "README") || strings.Contains(name, ".") {
				continue
			}
			if text, err := s.readRunbook(name, r.Lang); err == nil {
				title, _ := splitTitle(string(text))
				view.Books = append(view.Books, runbookView{Name: name, Title: cmp.Or(title, name), Link: r.link("/runbooks/" + name)})
			}
		}
		slices.SortFunc(view.Books, func(a, b runbookView) int { return cmp.Compare(a.Title, b.Title) })
	}
	return r.render(http.StatusOK, "runbooks", r.t("Runbooks"), view)
}

var runbookHref = regexp.MustCompile(`href="(?:\./)?([A-Za-z0-9_-]+)(\.zh-CN)?\.md(#[^"]*)?"`)
