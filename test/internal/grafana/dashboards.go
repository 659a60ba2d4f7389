package grafana

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

type dashboard struct {
	id, version          int
	uid, folder          string // folder "" is General
	title                string
	content              map[string]any // without id and version
	v2                   map[string]any // the resource of one that is saved as schema V2
	createdBy, updatedBy string
	created, updated     time.Time
	versions             []map[string]any
}

func (s *Server) dashboardRoutes() []route {
	routes := []route{
		{
			method: "POST", path: "/api/dashboards/db", needs: "any of dashboards:create, dashboards:write", role: Editor,
			answer: saveDashboard,
		},
		{
			// apiVersion is documented for 13.
			method: "GET", path: "/api/dashboards/uid/{uid}", query: []string{"apiVersion"}, needs: "dashboards:read", role: Viewer,
			answer: getDashboard,
		},
		{method: "DELETE", path: "/api/dashboards/uid/{uid}", needs: "dashboards:delete", role: Editor, answer: deleteDashboard},
		{method: "GET", path: "/api/dashboards/uid/{uid}/versions", needs: "dashboards:write", role: Editor, answer: dashboardVersions},
		{
			method: "GET", path: "/api/search", query: []string{"type", "limit", "page", "query", "tag"},
			needs: "dashboards:read", role: Viewer, answer: search,
		},
	}
	if s.version.from(10, 2, 0) {
		// Documented: what the provider asks before it deletes a folder. Before 10.2 Grafana does not look at it, and answers with
		// everything.
		last := &routes[len(routes)-1]
		last.query = append(last.query, "folderUIDs")
	}
	if s.version.from(13, 0, 0) {
		// Documented.
		routes = append(routes, route{
			method: "GET", path: "/apis/dashboard.grafana.app/{version}/namespaces/default/dashboards/{uid}", needs: "dashboards:read",
			role: Viewer, answer: getResource,
		})
	}
	return routes
}

func (s *Server) dashboard(uid string) *dashboard {
	for _, d := range s.dashboards {
		if d.uid == uid {
			return d
		}
	}
	return nil
}

func (s *Server) dashboardTitled(folder, title string) *dashboard {
	for _, d := range s.dashboards {
		if d.folder == folder && strings.EqualFold(d.title, title) {
			return d
		}
	}
	return nil
}

func (d *dashboard) url() string { return "/d/" + d.uid + "/" + slug(d.title) }

// minRefresh is Grafana's default min_refresh_interval.
const minRefresh = 5 * time.Second

var staleDashboard = stated(http.StatusPreconditionFailed, "The dashboard has been changed by someone else", "version-mismatch")

func saveDashboard(c *call) answer {
	var in struct {
		Dashboard map[string]any
		FolderUID string `json:"folderUid"`
		Overwrite bool
		Message   string
	}
	if err := c.decode(&in); err != nil || in.Dashboard == nil {
		return badRequest
	}
	if in.FolderUID != "" && c.folder(in.FolderUID) == nil {
		return failed(http.StatusBadRequest, "Folder not found")
	}
	content := maps.Clone(in.Dashboard)
	if isResource(content) {
		return c.saveResource(content, in.FolderUID)
	}
	title, _ := content["title"].(string)
	title = strings.TrimSpace(title)
	uid, _ := content["uid"].(string)
	switch {
	case title == "":
		return stated(http.StatusBadRequest, "Dashboard title cannot be empty", "empty-name")
	case !goodUID.MatchString(uid):
		return message(http.StatusBadRequest, "uid contains illegal characters")
	case len(uid) > 40:
		return message(http.StatusBadRequest, "uid too long, max 40 characters")
	}
	content["title"] = title
	if refresh, ok := content["refresh"].(string); ok && refresh != "" {
		if d, err := model.ParseDuration(refresh); err == nil && time.Duration(d) < minRefresh {
			content["refresh"] = model.Duration(minRefresh).String()
		}
	}
	var was *dashboard
	if id := number(content["id"]); id > 0 {
		i := slices.IndexFunc(c.dashboards, func(d *dashboard) bool { return d.id == id })
		if i < 0 {
			return stated(http.StatusNotFound, "Dashboard not found", "not-found")
		}
		was = c.dashboards[i]
	} else if uid != "" {
		was = c.dashboard(uid)
	}
	if c.folder(uid) != nil {
		return message(http.StatusBadRequest, "Dashboard cannot be changed to a folder")
	}
	if c.folderTitled(title) != nil {
		return stated(http.StatusBadRequest, "Dashboard name cannot be the same as folder", "name-match")
	}
	if was != nil && !in.Overwrite && number(content["version"]) != was.version {
		return staleDashboard
	}
	if other := c.sameTitle(in.FolderUID, title); other != nil && other != was {
		if !in.Overwrite {
			return stated(http.StatusPreconditionFailed, "A dashboard with the same name in the folder already exists", "name-exists")
		}
		// Recorded: the one that has the title is written over, and keeps its uid.
		was, uid = other, other.uid
	}
	data, _ := json.Marshal(content)
	if bytes.Contains(data, []byte(`\u0000`)) {
		// SQLite takes the text, and PostgreSQL refuses it; the status was recorded, the words were not.
		return failed(http.StatusInternalServerError, "Failed to save dashboard")
	}
	if uid == "" {
		uid = c.uid()
	}
	now := c.now()
	if was == nil {
		was = &dashboard{id: c.id("dashboard"), createdBy: c.user.login, created: now}
		c.dashboards = append(c.dashboards, was)
	}
	was.store(c, content, uid, in.FolderUID, title, now)
	was.v2 = nil
	kept := maps.Clone(was.content)
	kept["version"] = was.version
	said := in.Message
	if said == "" && was.version == 1 {
		said = "Initial save"
	}
	was.versions = append(was.versions, map[string]any{
		"id": c.id("version"), "dashboardId": was.id, "uid": was.uid, "parentVersion": was.version - 1, "restoredFrom": 0,
		"version": was.version, "created": whole(now), "message": said, "data": kept, "createdBy": c.user.login,
	})
	if usesLibraryPanel(content) {
		// Recorded: it says so, and yet the dashboard has been saved. There are no library panels here.
		return failed(http.StatusInternalServerError, "Error while connecting library panels")
	}
	return answer{status: http.StatusOK, body: map[string]any{
		"id": was.id, "slug": slug(title), "status": "success", "uid": was.uid, "url": was.url(), "version": was.version,
	}}
}

func (d *dashboard) store(c *call, content map[string]any, uid, folder, title string, now time.Time) {
	content["uid"] = uid
	delete(content, "id")
	delete(content, "version")
	d.version++
	d.uid, d.folder, d.title, d.content = uid, folder, title, content
	d.updatedBy, d.updated = c.user.login, now
}

// sameTitle finds the dashboard of a title in a folder, to the letter.
func (s *Server) sameTitle(folder, title string) *dashboard {
	for _, d := range s.dashboards {
		if d.folder == folder && d.title == title {
			return d
		}
	}
	return nil
}

func number(v any) int {
	n, _ := v.(json.Number)
	i, _ := strconv.Atoi(string(n))
	return i
}

func usesLibraryPanel(content map[string]any) bool {
	panels, _ := content["panels"].([]any)
	return slices.ContainsFunc(panels, func(p any) bool {
		panel, _ := p.(map[string]any)
		return panel["libraryPanel"] != nil || usesLibraryPanel(panel)
	})
}

var noDashboard = failed(http.StatusNotFound, "Dashboard not found")

func getDashboard(c *call) answer {
	d := c.dashboard(c.part("uid"))
	if d == nil {
		return noDashboard
	}
	asked := c.query.Get("apiVersion")
	if asked != "" && !c.version.from(13, 0, 0) {
		return answer{}
	}
	content := maps.Clone(d.content)
	switch {
	case d.v2 != nil && strings.HasPrefix(asked, "v2"):
		// Documented: the spec, whole.
		content = maps.Clone(d.v2["spec"].(map[string]any))
	case d.v2 != nil:
		// Documented.
		return failed(http.StatusNotAcceptable, "dashboard api version not supported, use /apis/dashboard.grafana.app/v2/namespaces/default/dashboards/%s instead", d.uid)
	}
	content["id"], content["version"] = d.id, d.version
	return answer{status: http.StatusOK, body: struct {
		Meta      meta           `json:"meta"`
		Dashboard map[string]any `json:"dashboard"`
	}{d.meta(c), content}}
}

// meta is what Grafana knows about a dashboard besides its content, in Grafana's order.
type meta struct {
	Type                   string         `json:"type"`
	CanSave                bool           `json:"canSave"`
	CanEdit                bool           `json:"canEdit"`
	CanAdmin               bool           `json:"canAdmin"`
	CanStar                bool           `json:"canStar"`
	CanDelete              bool           `json:"canDelete"`
	Slug                   string         `json:"slug"`
	URL                    string         `json:"url"`
	Expires                string         `json:"expires"`
	Created                string         `json:"created"`
	Updated                string         `json:"updated"`
	UpdatedBy              string         `json:"updatedBy"`
	CreatedBy              string         `json:"createdBy"`
	Version                int            `json:"version"`
	HasACL                 bool           `json:"hasAcl"`
	IsFolder               bool           `json:"isFolder"`
	FolderID               int            `json:"folderId"`
	FolderUID              string         `json:"folderUid"`
	FolderTitle            string         `json:"folderTitle"`
	FolderURL              string         `json:"folderUrl"`
	Provisioned            bool           `json:"provisioned"`
	ProvisionedExternalID  string         `json:"provisionedExternalId"`
	AnnotationsPermissions map[string]any `json:"annotationsPermissions"`
	PublicAccessToken      string         `json:"publicDashboardAccessToken"`
	PublicUID              string         `json:"publicDashboardUid"`
	PublicEnabled          bool           `json:"publicDashboardEnabled"`
}

func (d *dashboard) meta(c *call) meta {
	edit := c.user.role >= Editor
	can := struct {
		Add    bool `json:"canAdd"`
		Edit   bool `json:"canEdit"`
		Delete bool `json:"canDelete"`
	}{edit, edit, edit}
	m := meta{
		Type: "db", CanSave: edit, CanEdit: edit, CanAdmin: c.user.role == Admin, CanStar: true, CanDelete: edit,
		Slug: slug(d.title), URL: d.url(), Expires: yearOne, Created: whole(d.created), Updated: whole(d.updated),
		UpdatedBy: d.updatedBy, CreatedBy: d.createdBy, Version: d.version, FolderTitle: "General",
		AnnotationsPermissions: map[string]any{"dashboard": can, "organization": can},
	}
	if f := c.folder(d.folder); f != nil {
		m.FolderID, m.FolderUID, m.FolderTitle, m.FolderURL = f.id, f.uid, f.title, f.url()
	}
	return m
}

func deleteDashboard(c *call) answer {
	d := c.dashboard(c.part("uid"))
	if d == nil {
		return noDashboard
	}
	c.dashboards = slices.DeleteFunc(c.dashboards, func(e *dashboard) bool { return d == e })
	return answer{status: http.StatusOK, body: map[string]any{"id": d.id, "message": "Dashboard " + d.title + " deleted", "title": d.title}}
}

func dashboardVersions(c *call) answer {
	d := c.dashboard(c.part("uid"))
	if d == nil {
		return noDashboard
	}
	out := slices.Clone(d.versions)
	slices.Reverse(out)
	return answer{status: http.StatusOK, body: out}
}

// search lists folders and dashboards by title. maxLimit is the most that may be asked for at once.
func search(c *call) answer {
	const maxLimit = 5000
	limit, page := 1000, 1
	for name, into := range map[string]*int{"limit": &limit, "page": &page} {
		if text := c.query.Get(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 1 {
				return answer{}
			}
			*into = n
		}
	}
	if limit > maxLimit {
		return message(http.StatusUnprocessableEntity, "Limit is above maximum allowed (5000), use page parameter to access hits beyond limit")
	}
	type hit struct {
		title string
		body  map[string]any
	}
	var hits []hit
	add := func(kind string, id int, uid, title, url string, tags []any) map[string]any {
		body := map[string]any{
			"id": id, "uid": uid, "title": title, "uri": "db/" + slug(title), "url": url, "slug": "", "type": kind, "tags": tags,
			"isStarred": false, "sortMeta": 0,
		}
		hits = append(hits, hit{title, body})
		return body
	}
	wanted := c.query.Get("type")
	matches := func(title string, tags []any) bool {
		for _, tag := range c.query["tag"] {
			if !slices.Contains(tags, any(tag)) {
				return false
			}
		}
		return strings.Contains(strings.ToLower(title), strings.ToLower(c.query.Get("query")))
	}
	in := c.query["folderUIDs"]
	for _, f := range c.folders {
		if (wanted == "" || wanted == "dash-folder") && len(in) == 0 && matches(f.title, nil) {
			add("dash-folder", f.id, f.uid, f.title, f.url(), []any{})
		}
	}
	for _, d := range c.dashboards {
		tags, _ := d.content["tags"].([]any)
		if tags == nil {
			tags = []any{}
		}
		if wanted != "" && wanted != "dash-db" || !matches(d.title, tags) || len(in) > 0 && !slices.Contains(in, d.folder) {
			continue
		}
		body := add("dash-db", d.id, d.uid, d.title, d.url(), tags)
		if f := c.folder(d.folder); f != nil {
			body["folderId"], body["folderUid"], body["folderTitle"], body["folderUrl"] = f.id, f.uid, f.title, f.url()
		}
	}
	slices.SortStableFunc(hits, func(a, b hit) int { return strings.Compare(strings.ToLower(a.title), strings.ToLower(b.title)) })
	out := []any{}
	for i, h := range hits {
		if i >= (page-1)*limit && i < page*limit {
			out = append(out, h.body)
		}
	}
	return answer{status: http.StatusOK, body: out}
}
