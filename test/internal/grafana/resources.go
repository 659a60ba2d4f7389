package grafana

import (
	"maps"
	"net/http"
	"strings"
)

// Everything in this file is documented: no Grafana with dashboards as resources was there to be recorded.

const resourceGroup = "dashboard.grafana.app/"

// isResource says whether a dashboard was sent with the envelope of a resource.
func isResource(content map[string]any) bool {
	version, _ := content["apiVersion"].(string)
	_, spec := content["spec"].(map[string]any)
	return spec && strings.HasPrefix(version, resourceGroup)
}

// saveResource keeps a resource of schema V2, which Grafana 13 takes whole. Earlier ones look for a title at the top and find
// none.
func (c *call) saveResource(content map[string]any, folder string) answer {
	if !c.version.from(13, 0, 0) {
		return stated(http.StatusBadRequest, "Dashboard title cannot be empty", "empty-name")
	}
	metadata, _ := content["metadata"].(map[string]any)
	uid, _ := metadata["name"].(string)
	spec := content["spec"].(map[string]any)
	title, _ := spec["title"].(string)
	title = strings.TrimSpace(title)
	if uid == "" || title == "" {
		return answer{}
	}
	d := c.dashboard(uid)
	now := c.now()
	if d == nil {
		d = &dashboard{id: c.id("dashboard"), createdBy: c.user.login, created: now}
		c.dashboards = append(c.dashboards, d)
	}
	d.store(c, maps.Clone(spec), uid, folder, title, now)
	if strings.HasPrefix(content["apiVersion"].(string), resourceGroup+"v2") {
		d.v2 = content
	}
	return answer{status: http.StatusOK, body: map[string]any{
		"id": d.id, "slug": slug(title), "status": "success", "uid": uid, "url": d.url(), "version": d.version,
	}}
}

// SaveV2 puts a dashboard of schema V2 into a folder ("" for General), as saving it in the user interface of Grafana 13 does.
func (s *Server) SaveV2(folder string, resource map[string]any) (status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &call{Server: s, user: s.accounts.users["admin"]}
	return c.saveResource(resource, folder).status
}

func getResource(c *call) answer {
	d := c.dashboard(c.part("uid"))
	if d == nil {
		return answer{status: http.StatusNotFound, body: map[string]any{
			"kind": "Status", "apiVersion": "v1", "metadata": map[string]any{}, "status": "Failure", "reason": "NotFound", "code": http.StatusNotFound,
			"message": "dashboards.dashboard.grafana.app \"" + c.part("uid") + "\" not found",
		}}
	}
	version := c.part("version")
	metadata := map[string]any{"name": d.uid, "namespace": "default", "generation": d.version}
	if d.folder != "" {
		metadata["annotations"] = map[string]any{"grafana.app/folder": d.folder}
	}
	out := map[string]any{"kind": "Dashboard", "apiVersion": resourceGroup + version, "metadata": metadata}
	switch {
	case strings.HasPrefix(version, "v2") && d.v2 != nil:
		out["spec"] = d.v2["spec"]
	case !strings.HasPrefix(version, "v2") && d.v2 == nil:
		spec := maps.Clone(d.content)
		delete(spec, "uid")
		out["spec"] = spec
	default:
		// Grafana converts; nothing of that was seen.
		return answer{}
	}
	return answer{status: http.StatusOK, body: out}
}
