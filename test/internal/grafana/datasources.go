package grafana

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A datasource is kept in Grafana's field names.
type datasource struct {
	ID               int             `json:"id"`
	UID              string          `json:"uid"`
	OrgID            int             `json:"orgId"`
	Name             string          `json:"name"`
	Type             string          `json:"type"`
	TypeLogoURL      string          `json:"typeLogoUrl"`
	Access           string          `json:"access"`
	URL              string          `json:"url"`
	User             string          `json:"user"`
	Database         string          `json:"database"`
	BasicAuth        bool            `json:"basicAuth"`
	BasicAuthUser    string          `json:"basicAuthUser"`
	WithCredentials  bool            `json:"withCredentials"`
	IsDefault        bool            `json:"isDefault"`
	JSONData         map[string]any  `json:"jsonData"`
	SecureJSONFields map[string]bool `json:"secureJsonFields"`
	Version          int             `json:"version"`
	ReadOnly         bool            `json:"readOnly"`
}

func (s *Server) datasourceRoutes() []route {
	return []route{
		{method: "GET", path: "/api/datasources", needs: "datasources:read", role: Viewer, answer: listDatasources},
		{method: "POST", path: "/api/datasources", needs: "datasources:create", role: Admin, answer: createDatasource},
		{method: "GET", path: "/api/datasources/uid/{uid}", needs: "datasources:read", role: Viewer, answer: getDatasource},
		{method: "GET", path: "/api/datasources/name/{name}", needs: "datasources:read", role: Viewer, answer: getDatasource},
		{method: "PUT", path: "/api/datasources/uid/{uid}", needs: "datasources:write", role: Admin, answer: putDatasource},
		{method: "DELETE", path: "/api/datasources/uid/{uid}", needs: "datasources:delete", role: Admin, answer: deleteDatasource},
		{method: "POST", path: "/api/ds/query", needs: "datasources:query", role: Viewer, answer: queryDatasource},
	}
}

var noDatasource = message(http.StatusNotFound, "Data source not found")

func (s *Server) datasource(is func(*datasource) bool) *datasource {
	if i := slices.IndexFunc(s.datasources, is); i >= 0 {
		return s.datasources[i]
	}
	return nil
}

func (c *call) named() *datasource {
	return c.datasource(func(d *datasource) bool {
		return c.part("uid") != "" && d.UID == c.part("uid") || c.part("name") != "" && d.Name == c.part("name")
	})
}

func listDatasources(c *call) answer {
	sorted := slices.Clone(c.datasources)
	slices.SortFunc(sorted, func(a, b *datasource) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	out := []any{}
	for _, d := range sorted {
		body := map[string]any{
			"id": d.ID, "uid": d.UID, "orgId": d.OrgID, "name": d.Name, "type": d.Type, "typeName": d.Type,
			"typeLogoUrl": "public/img/icn-datasource.svg", "access": d.Access, "url": d.URL, "user": d.User, "database": d.Database,
			"basicAuth": d.BasicAuth, "isDefault": d.IsDefault, "jsonData": d.JSONData, "readOnly": d.ReadOnly,
		}
		if d.Type == "prometheus" {
			body["typeName"], body["typeLogoUrl"] = "Prometheus", "public/app/plugins/datasource/prometheus/img/prometheus_logo.svg"
		}
		out = append(out, body)
	}
	return answer{status: http.StatusOK, body: out}
}

type datasourceCommand struct {
	datasource
	SecureJSONData map[string]string `json:"secureJsonData"`
}

// apply writes what was sent over a datasource; secrets that are not sent stay.
func (in datasourceCommand) apply(c *call, d *datasource) {
	if in.IsDefault {
		for _, other := range c.datasources {
			other.IsDefault = false
		}
	}
	secrets := d.SecureJSONFields
	if secrets == nil {
		secrets = map[string]bool{}
	}
	for name := range in.SecureJSONData {
		secrets[name] = true
	}
	id := d.ID
	*d = in.datasource
	d.ID, d.OrgID, d.SecureJSONFields, d.TypeLogoURL, d.ReadOnly = id, 1, secrets, "", false
	if d.JSONData == nil {
		d.JSONData = map[string]any{}
	}
}

// check refuses what Grafana does: little, since type, access and uid are not looked at.
func (in datasourceCommand) check() (answer, bool) {
	if in.Name == "" || in.Type == "" || in.Access == "" {
		return badRequest, false
	}
	if _, err := url.Parse(in.URL); err != nil {
		return failed(http.StatusBadRequest, "Validation error, invalid URL"), false
	}
	return answer{}, true
}

func createDatasource(c *call) answer {
	var in datasourceCommand
	if err := c.decode(&in); err != nil {
		return badRequest
	}
	if refused, ok := in.check(); !ok {
		return refused
	}
	switch {
	case c.datasource(func(d *datasource) bool { return d.Name == in.Name }) != nil:
		return failed(http.StatusConflict, "data source with the same name already exists")
	case in.UID != "" && c.datasource(func(d *datasource) bool { return d.UID == in.UID }) != nil:
		return failed(http.StatusConflict, "data source with the same uid already exists")
	}
	in.UID = cmp.Or(in.UID, c.uid())
	d := &datasource{ID: c.id("datasource")}
	in.apply(c, d)
	d.Version = 1
	c.datasources = append(c.datasources, d)
	return answer{status: http.StatusOK, body: map[string]any{"datasource": d, "id": d.ID, "message": "Datasource added", "name": d.Name}}
}

func getDatasource(c *call) answer {
	d := c.named()
	if d == nil {
		return noDatasource
	}
	return answer{status: http.StatusOK, body: d}
}

func putDatasource(c *call) answer {
	var in datasourceCommand
	if err := c.decode(&in); err != nil {
		return badRequest
	}
	if refused, ok := in.check(); !ok {
		return refused
	}
	d := c.named()
	if d == nil {
		return noDatasource
	}
	in.UID = cmp.Or(in.UID, d.UID)
	if c.datasource(func(e *datasource) bool { return e != d && (e.Name == in.Name || e.UID == in.UID) }) != nil {
		return failed(http.StatusInternalServerError, "Failed to update datasource")
	}
	// The version is no check: the next one is what was sent and one more.
	version := in.Version + 1
	in.apply(c, d)
	d.Version = version
	return answer{status: http.StatusOK, body: map[string]any{"datasource": d, "id": d.ID, "message": "Datasource updated", "name": d.Name}}
}

func deleteDatasource(c *call) answer {
	d := c.named()
	if d == nil {
		return noDatasource
	}
	c.datasources = slices.DeleteFunc(c.datasources, func(e *datasource) bool { return d == e })
	return answer{status: http.StatusOK, body: map[string]any{"id": d.ID, "message": "Data source deleted"}}
}

// queryDatasource only refuses: there is nothing behind a datasource here.
func queryDatasource(c *call) answer {
	var in struct {
		Queries []struct {
			Datasource struct{ UID string }
		}
	}
	if err := c.decode(&in); err != nil {
		return badRequest
	}
	refuse := func(text, id string) answer {
		return answer{status: http.StatusBadRequest, body: map[string]any{"message": text, "messageId": id, "statusCode": http.StatusBadRequest, "traceID": ""}}
	}
	if len(in.Queries) == 0 {
		return refuse("No queries found", "query.noQueries")
	}
	for _, q := range in.Queries {
		switch {
		case q.Datasource.UID == "":
			return refuse("Query does not contain a valid data source identifier", "query.invalidDatasourceId")
		case q.Datasource.UID != "__expr__" && c.datasource(func(d *datasource) bool { return d.UID == q.Datasource.UID }) == nil:
			return failed(http.StatusNotFound, "Data source not found")
		}
	}
	return answer{}
}
