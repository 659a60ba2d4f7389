package forge

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// github speaks GitHub's REST API. Source: https://docs.github.com/rest
type github struct {
	*api
	t           *Target
	owner, name string
}

func (g *github) path(format string, args ...any) string {
	g.header.Set("Authorization", "Bearer "+g.t.Token)
	g.header.Set("Accept", "application/vnd.github+json")
	g.header.Set("X-GitHub-Api-Version", "2022-11-28")
	return "/repos/" + url.PathEscape(g.owner) + "/" + url.PathEscape(g.name) + fmt.Sprintf(format, args...)
}

func (g *github) head(ctx context.Context) (string, error) {
	var pull struct {
		Head struct {
			SHA string `json:"sha"`
		} `json:"head"`
	}
	_, err := g.do(ctx, http.MethodGet, g.path("/pulls/%d", g.t.Number), nil, nil, &pull)
	return pull.Head.SHA, err
}

// actions is who writes with the token of a workflow, which may not ask who it is.
const actions = "github-actions[bot]"

func (g *github) user(ctx context.Context) (string, error) {
	var user struct {
		Login string `json:"login"`
	}
	g.path("")
	_, err := g.do(ctx, http.MethodGet, "/user", nil, nil, &user)
	if isStatus(err, http.StatusForbidden) {
		return actions, nil
	}
	return user.Login, err
}

func (g *github) remarks(ctx context.Context) ([]remark, error) {
	return login(func(page int, list any) (http.Header, error) {
		query := url.Values{"per_page": {"100"}, "page": {strconv.Itoa(page)}}
		return g.do(ctx, http.MethodGet, g.path("/issues/%d/comments", g.t.Number), query, nil, list)
	}, 100)
}

// login reads comments whose author is user.login, page by page; the last page is shorter than the others.
func login(get func(page int, list any) (http.Header, error), perPage int) ([]remark, error) {
	var out []remark
	for page := 1; ; page++ {
		var list []struct {
			ID   int64  `json:"id"`
			Body string `json:"body"`
			User struct {
				Login string `json:"login"`
			} `json:"user"`
		}
		if _, err := get(page, &list); err != nil {
			return nil, err
		}
		for _, c := range list {
			out = append(out, remark{c.ID, c.User.Login, c.Body})
		}
		if perPage == 0 || len(list) < perPage {
			return out, nil
		}
	}
}

type bodyOf struct {
	Body string `json:"body"`
}

type idOf struct {
	ID int64 `json:"id"`
}

func (g *github) create(ctx context.Context, body string) (int64, error) {
	var made idOf
	_, err := g.do(ctx, http.MethodPost, g.path("/issues/%d/comments", g.t.Number), nil, bodyOf{body}, &made)
	return made.ID, err
}

func (g *github) update(ctx context.Context, id int64, body string) error {
	_, err := g.do(ctx, http.MethodPatch, g.path("/issues/comments/%d", id), nil, bodyOf{body}, nil)
	return err
}

func (g *github) attaches() bool { return false }

// upload makes one commit of the pictures, which no branch holds: the API has no way to attach a file to a comment. A reference of its own keeps the commit from
// being collected; it is not a branch, so a clone does not fetch it.
func (g *github) upload(ctx context.Context, _ int64, pictures []Picture, _ string) (map[string]string, error) {
	type sha struct {
		SHA string `json:"sha"`
	}
	type entry struct {
		Path string `json:"path"`
		Mode string `json:"mode"`
		Type string `json:"type"`
		SHA  string `json:"sha"`
	}
	post := func(path string, in any) (string, error) {
		var made sha
		_, err := g.do(ctx, http.MethodPost, g.path("%s", path), nil, in, &made)
		return made.SHA, err
	}
	var entries []entry
	for _, p := range pictures {
		blob, err := post("/git/blobs", map[string]string{"content": base64.StdEncoding.EncodeToString(p.Data), "encoding": "base64"})
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{p.Name, "100644", "blob", blob})
	}
	tree, err := post("/git/trees", map[string]any{"tree": entries})
	if err != nil {
		return nil, err
	}
	commit, err := post("/git/commits", map[string]any{"message": fmt.Sprintf("Pictures for #%d", g.t.Number), "tree": tree, "parents": []string{}})
	if err != nil {
		return nil, err
	}
	ref := fmt.Sprintf("refs/lookout/pictures/%d", g.t.Number)
	_, err = post("/git/refs", map[string]string{"ref": ref, "sha": commit})
	if isStatus(err, http.StatusUnprocessableEntity) { // it is there already
		_, err = g.do(ctx, http.MethodPatch, g.path("/git/%s", ref), nil, map[string]any{"sha": commit, "force": true}, nil)
	}
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, p := range pictures {
		out[p.Name] = strings.TrimSuffix(cmp.Or(g.t.Server, "https://github.com"), "/") + "/" + g.owner + "/" + g.name + "/raw/" + commit + "/" + p.Name
	}
	return out, nil
}
