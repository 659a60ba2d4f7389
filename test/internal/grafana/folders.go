package grafana

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

type folder struct {
	id, version          int
	uid, title           string
	createdBy, updatedBy string
	created, updated     time.Time
}

func (s *Server) folderRoutes() []route {
	return []route{
		{method: "GET", path: "/api/folders", query: []string{"limit"}, needs: "folders:read", role: Viewer, answer: listFolders},
		{method: "POST", path: "/api/folders", needs: "folders:create", role: Editor, answer: createFolder},
		{method: "GET", path: "/api/folders/{uid}", needs: "folders:read", role: Viewer, answer: getFolder},
		{method: "PUT", path: "/api/folders/{uid}", needs: "folders:write", role: Editor, answer: putFolder},
		{method: "DELETE", path: "/api/folders/{uid}", query: []string{"forceDeleteRules"}, needs: "folders:delete", role: Editor, answer: deleteFolder},
	}
}

var (
	noFolder    = stated(http.StatusNotFound, "folder not found", "not-found")
	staleFolder = stated(http.StatusPreconditionFailed, "the folder has been changed by someone else", "version-mismatch")
	titleTaken  = message(http.StatusConflict, "a folder or dashboard in the general folder with the same name already exists")

	goodUID = regexp.MustCompile(`^[a-zA-Z0-9_-]*$`)
)

func (s *Server) folder(uid string) *folder {
	for _, f := range s.folders {
		if f.uid == uid {
			return f
		}
	}
	return nil
}

// folderTitled finds by title, in any case of letters.
func (s *Server) folderTitled(title string) *folder {
	for _, f := range s.folders {
		if strings.EqualFold(f.title, title) {
			return f
		}
	}
	return nil
}

func (f *folder) url() string { return "/dashboards/f/" + f.uid + "/" + slug(f.title) }

// json is a folder as the user may see it. The times of an answer to a POST have nanoseconds.
func (f *folder) json(u *user, stamp func(time.Time) string) map[string]any {
	edit := u.role >= Editor
	return map[string]any{
		"id": f.id, "uid": f.uid, "title": f.title, "url": f.url(), "hasAcl": false,
		"canSave": edit, "canEdit": edit, "canAdmin": u.role == Admin, "canDelete": edit,
		"createdBy": f.createdBy, "created": stamp(f.created), "updatedBy": f.updatedBy, "updated": stamp(f.updated), "version": f.version,
	}
}

func listFolders(c *call) answer {
	limit := len(c.folders)
	if text := c.query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return answer{}
		}
		limit = min(limit, n)
	}
	sorted := slices.Clone(c.folders)
	slices.SortFunc(sorted, func(a, b *folder) int { return strings.Compare(strings.ToLower(a.title), strings.ToLower(b.title)) })
	out := []any{}
	for _, f := range sorted[:limit] {
		out = append(out, map[string]any{"id": f.id, "uid": f.uid, "title": f.title})
	}
	return answer{status: http.StatusOK, body: out}
}

func createFolder(c *call) answer {
	var in struct{ UID, Title string }
	if err := c.decode(&in); err != nil {
		return badRequest
	}
	// Trimmed as a dashboard's title is; recorded is only that blanks alone are no title.
	in.Title = strings.TrimSpace(in.Title)
	switch {
	case in.Title == "":
		return message(http.StatusBadRequest, "folder title cannot be empty")
	case strings.EqualFold(in.Title, "General"):
		return failed(http.StatusBadRequest, "A folder with that name already exists")
	case in.UID == "general":
		return failed(http.StatusInternalServerError, "Folder API error")
	case !goodUID.MatchString(in.UID):
		return failed(http.StatusBadRequest, "uid contains illegal characters")
	case len(in.UID) > 40:
		return failed(http.StatusBadRequest, "uid too long, max 40 characters")
	case in.UID != "" && (c.folder(in.UID) != nil || c.dashboard(in.UID) != nil):
		// For the uid of a dashboard: documented, since both are rows of one table.
		return staleFolder
	case c.folderTitled(in.Title) != nil || c.dashboardTitled("", in.Title) != nil:
		return titleTaken
	}
	if in.UID == "" {
		in.UID = c.Server.uid()
	}
	now := c.now()
	f := &folder{
		id: c.id("dashboard"), version: 1, uid: in.UID, title: in.Title,
		createdBy: c.user.login, updatedBy: c.user.login, created: now, updated: now,
	}
	c.folders = append(c.folders, f)
	body := f.json(c.user, fine)
	if c.user.role < Admin {
		// Recorded for an editor: the rights come with the next read.
		body["canSave"], body["canEdit"], body["canDelete"] = false, false, false
	}
	return answer{status: http.StatusOK, body: body}
}

func getFolder(c *call) answer {
	f := c.folder(c.part("uid"))
	if f == nil {
		return noFolder
	}
	return answer{status: http.StatusOK, body: f.json(c.user, whole)}
}

func putFolder(c *call) answer {
	var in struct {
		UID, Title string
		Version    int
		Overwrite  bool
	}
	if err := c.decode(&in); err != nil {
		return badRequest
	}
	f := c.folder(c.part("uid"))
	if f == nil {
		return noFolder
	}
	if !in.Overwrite && in.Version != f.version {
		return staleFolder
	}
	in.Title = strings.TrimSpace(in.Title)
	if other := c.folderTitled(in.Title); in.Title != "" && other != nil && other != f {
		if !in.Overwrite {
			return titleTaken // documented
		}
		// Recorded: what is changed, and answered, is the folder that has the title.
		f = other
	} else if in.Title != "" {
		f.title = in.Title
	}
	if in.UID != "" && in.UID != f.uid {
		for _, d := range c.dashboards {
			if d.folder == f.uid {
				d.folder = in.UID
			}
		}
		f.uid = in.UID
	}
	f.version++
	f.updatedBy, f.updated = c.user.login, c.now()
	return answer{status: http.StatusOK, body: f.json(c.user, whole)}
}

func deleteFolder(c *call) answer {
	f := c.folder(c.part("uid"))
	if f == nil {
		return noFolder
	}
	inside := func(r *rule) bool { return r.FolderUID == f.uid }
	if c.query.Get("forceDeleteRules") != "true" && slices.ContainsFunc(c.rules, inside) {
		return message(http.StatusBadRequest, "folder cannot be deleted: folder contains alert rules")
	}
	c.rules = slices.DeleteFunc(c.rules, inside)
	c.dashboards = slices.DeleteFunc(c.dashboards, func(d *dashboard) bool { return d.folder == f.uid })
	c.folders = slices.DeleteFunc(c.folders, func(g *folder) bool { return f == g })
	return answer{status: http.StatusOK, body: null}
}
