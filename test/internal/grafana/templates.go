package grafana

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	gotemplate "text/template"
)

type template struct {
	Name     string `json:"name"`
	Template string `json:"template"`
}

func (s *Server) templateRoutes() []route {
	const all, one = "/api/v1/provisioning/templates", "/api/v1/provisioning/templates/{name}"
	return []route{
		{method: "GET", path: all, needs: readRules, role: Admin, answer: func(c *call) answer {
			return answer{status: http.StatusOK, body: append([]*template{}, c.templates...)}
		}},
		{method: "GET", path: one, needs: readRules, role: Admin, answer: func(c *call) answer {
			if i := c.templateIndex(); i >= 0 {
				return answer{status: http.StatusOK, body: c.templates[i]}
			}
			return gone
		}},
		{method: "PUT", path: one, needs: writeRules, role: Admin, answer: putTemplate},
		{method: "DELETE", path: one, needs: writeRules, role: Admin, answer: func(c *call) answer {
			c.templates = slices.DeleteFunc(c.templates, func(t *template) bool { return t.Name == c.part("name") })
			return answer{status: http.StatusNoContent}
		}},
	}
}

func (c *call) templateIndex() int {
	return slices.IndexFunc(c.templates, func(t *template) bool { return t.Name == c.part("name") })
}

var define = regexp.MustCompile(`\{\{-?\s*define\b`)

// functions are those that a notification's template may call.
func (s *Server) functions() gotemplate.FuncMap {
	names := strings.Fields("toUpper toLower title trimSpace join match safeHtml reReplaceAll stringSlice")
	if s.version.from(10, 2, 0) {
		names = append(names, "tz", "date") // documented
	}
	m := gotemplate.FuncMap{}
	for _, name := range names {
		m[name] = func(...any) string { return "" }
	}
	return m
}

// putTemplate creates as well. Text without a definition becomes the definition of the template's name.
func putTemplate(c *call) answer {
	var in struct{ Template string }
	if err := c.decode(&in); err != nil {
		return badRequest
	}
	const invalid = "invalid object specification: "
	name, text := c.part("name"), strings.TrimSpace(in.Template)
	if text == "" {
		return failed(http.StatusBadRequest, invalid+"template must have content")
	}
	if !define.MatchString(text) {
		text = "{{ define \"" + name + "\" }}\n  " + strings.ReplaceAll(text, "\n", "\n  ") + "\n{{ end }}"
	}
	if _, err := gotemplate.New(name).Funcs(c.functions()).Parse(text); err != nil {
		return failed(http.StatusBadRequest, invalid+"invalid template: %s", err)
	}
	t := &template{name, text}
	if i := c.templateIndex(); i >= 0 {
		c.templates[i] = t
	} else {
		c.templates = append(c.templates, t)
	}
	body := map[string]any{"name": t.Name, "template": t.Template}
	if origin := c.origin(); origin != "" {
		body["provenance"] = origin
	}
	return answer{status: http.StatusAccepted, body: body}
}
