package console

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
)

// listView is the list of dashboards.
type listView struct {
	Query   string
	Folders []listFolder
	Total   int
	Shown   int
	Broken  []boardFile
	Alerts  *alertSummary
}

type listFolder struct {
	Name   string
	Boards []boardFile
}

func (s *Server) home(r *request) error { return s.listPage(r) }

// listPage shows the dashboards by folder; ?q= keeps those whose title, folder or tag has all words.
func (s *Server) listPage(r *request) error {
	view := &listView{Query: strings.TrimSpace(r.URL.Query().Get("q"))}
	words := strings.Fields(strings.ToLower(view.Query))
	all := s.store.list()
	view.Total = len(all)
	for _, b := range all {
		if b.Err != nil {
			view.Broken = append(view.Broken, b)
		}
		text := strings.ToLower(b.Title + " " + b.Folder + " " + strings.Join(b.Tags, " "))
		if slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) }) {
			continue
		}
		view.Shown++
		if n := len(view.Folders); n == 0 || view.Folders[n-1].Name != b.Folder {
			view.Folders = append(view.Folders, listFolder{Name: b.Folder})
		}
		f := &view.Folders[len(view.Folders)-1]
		f.Boards = append(f.Boards, b)
	}
	if r.URL.Path == "/" {
		view.Alerts = s.summary(r)
	}
	return r.render(http.StatusOK, "dashboards", r.t("Dashboards"), view)
}

// Name is what a person calls the folder.
func (f listFolder) Label(r *request) string { return cmp.Or(f.Name, r.t("General")) }

// Link is the dashboard's address, as Grafana writes it.
func (b boardFile) Link(r *request) string { return r.link("/d/" + escape(b.UID)) }
