package forge

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// gitea speaks the API of Gitea and Forgejo, version 1. Source: https://docs.gitea.com/api/
type gitea struct {
	*api
	t           *Target
	owner, name string
}

func (g *gitea) path(format string, args ...any) string {
	g.header.Set("Authorization", "token "+g.t.Token)
	return "/repos/" + url.PathEscape(g.owner) + "/" + url.PathEscape(g.name) + fmt.Sprintf(format, args...)
}

func (g *gitea) head(ctx context.Context) (string, error) {
	var pull struct {
		Head struct {
			SHA string `json:"sha"`
		} `json:"head"`
	}
	_, err := g.do(ctx, http.MethodGet, g.path("/pulls/%d", g.t.Number), nil, nil, &pull)
	return pull.Head.SHA, err
}

func (g *gitea) user(ctx context.Context) (string, error) {
	var user struct {
		Login string `json:"login"`
	}
	g.path("")
	_, err := g.do(ctx, http.MethodGet, "/user", nil, nil, &user)
	return user.Login, err
}

func (g *gitea) remarks(ctx context.Context) ([]remark, error) {
	// The API gives all comments of an issue at once.
	return login(func(_ int, list any) (http.Header, error) {
		return g.do(ctx, http.MethodGet, g.path("/issues/%d/comments", g.t.Number), nil, nil, list)
	}, 0)
}

func (g *gitea) create(ctx context.Context, body string) (int64, error) {
	var made idOf
	_, err := g.do(ctx, http.MethodPost, g.path("/issues/%d/comments", g.t.Number), nil, bodyOf{body}, &made)
	return made.ID, err
}

func (g *gitea) update(ctx context.Context, id int64, body string) error {
	_, err := g.do(ctx, http.MethodPatch, g.path("/issues/comments/%d", id), nil, bodyOf{body}, nil)
	return err
}

func (g *gitea) attaches() bool { return true }

// upload attaches to the comment what it does not have yet, and removes what it does not show any more.
func (g *gitea) upload(ctx context.Context, id int64, pictures []Picture, _ string) (map[string]string, error) {
	type asset struct {
		ID   int64  `json:"id"`
		Name string `json:"name"`
		URL  string `json:"browser_download_url"`
	}
	var have []asset
	if _, err := g.do(ctx, http.MethodGet, g.path("/issues/comments/%d/assets", id), nil, nil, &have); err != nil {
		return nil, err
	}
	old := map[string]asset{}
	for _, a := range have {
		old[a.Name] = a
	}
	out := map[string]string{}
	for _, p := range pictures {
		name := versioned(p)
		if a, ok := old[name]; ok {
			out[p.Name] = a.URL
			delete(old, name)
			continue
		}
		var made asset
		if err := g.file(ctx, g.path("/issues/comments/%d/assets", id), url.Values{"name": {name}}, "attachment", Picture{name, p.Data}, &made); err != nil {
			return nil, err
		}
		out[p.Name] = made.URL
	}
	for _, a := range old {
		if _, err := g.do(ctx, http.MethodDelete, g.path("/issues/comments/%d/assets/%d", id, a.ID), nil, nil, nil); err != nil {
			return nil, err
		}
	}
	return out, nil
}
