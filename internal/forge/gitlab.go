package forge

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
)

// gitlab speaks GitLab's REST API, version 4. Source: https://docs.gitlab.com/api/rest/
type gitlab struct {
	*api
	t *Target
}

func (g *gitlab) path(format string, args ...any) string {
	g.header.Set("PRIVATE-TOKEN", g.t.Token)
	return "/projects/" + url.PathEscape(g.t.Repository) + fmt.Sprintf(format, args...)
}

func (g *gitlab) head(ctx context.Context) (string, error) {
	var request struct {
		SHA string `json:"sha"`
	}
	_, err := g.do(ctx, http.MethodGet, g.path("/merge_requests/%d", g.t.Number), nil, nil, &request)
	return request.SHA, err
}

func (g *gitlab) user(ctx context.Context) (string, error) {
	var user struct {
		Username string `json:"username"`
	}
	g.path("")
	_, err := g.do(ctx, http.MethodGet, "/user", nil, nil, &user)
	return user.Username, err
}

func (g *gitlab) remarks(ctx context.Context) ([]remark, error) {
	var out []remark
	for page := "1"; page != ""; {
		var list []struct {
			ID     int64  `json:"id"`
			Body   string `json:"body"`
			Author struct {
				Username string `json:"username"`
			} `json:"author"`
		}
		query := url.Values{"per_page": {"100"}, "page": {page}, "sort": {"asc"}}
		header, err := g.do(ctx, http.MethodGet, g.path("/merge_requests/%d/notes", g.t.Number), query, nil, &list)
		if err != nil {
			return nil, err
		}
		for _, n := range list {
			out = append(out, remark{n.ID, n.Author.Username, n.Body})
		}
		next := header.Get("X-Next-Page")
		if n, err := strconv.Atoi(next); next != "" && (err != nil || strconv.Itoa(n) == page) {
			return nil, fmt.Errorf("the list of notes goes on with page %q after %q", next, page)
		}
		page = next
	}
	return out, nil
}

func (g *gitlab) create(ctx context.Context, body string) (int64, error) {
	var made idOf
	_, err := g.do(ctx, http.MethodPost, g.path("/merge_requests/%d/notes", g.t.Number), nil, bodyOf{body}, &made)
	return made.ID, err
}

func (g *gitlab) update(ctx context.Context, id int64, body string) error {
	_, err := g.do(ctx, http.MethodPut, g.path("/merge_requests/%d/notes/%d", g.t.Number, id), nil, bodyOf{body}, nil)
	return err
}

func (g *gitlab) attaches() bool { return false }

// uploaded matches the address of an upload in a note.
var uploaded = regexp.MustCompile(`/uploads/[0-9a-f]{32}/([A-Za-z0-9._-]+)`)

// upload adds what the note does not show yet to the project's uploads.
func (g *gitlab) upload(ctx context.Context, _ int64, pictures []Picture, had string) (map[string]string, error) {
	known := map[string]string{}
	for _, m := range uploaded.FindAllStringSubmatch(had, -1) {
		known[m[1]] = m[0]
	}
	out := map[string]string{}
	for _, p := range pictures {
		name := versioned(p)
		if url := known[name]; url != "" {
			out[p.Name] = url
			continue
		}
		var made struct {
			URL string `json:"url"`
		}
		if err := g.file(ctx, g.path("/uploads"), nil, "file", Picture{name, p.Data}, &made); err != nil {
			return nil, err
		}
		out[p.Name] = made.URL
	}
	return out, nil
}
