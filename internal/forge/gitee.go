package forge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

// gitee speaks Gitee's Open API, version 5. Source: https://gitee.com/api/v5/swagger
type gitee struct {
	*api
	t           *Target
	owner, name string
}

func (g *gitee) path(format string, args ...any) string {
	return "/repos/" + url.PathEscape(g.owner) + "/" + url.PathEscape(g.name) + fmt.Sprintf(format, args...)
}

// token is a parameter of each request.
func (g *gitee) token() url.Values { return url.Values{"access_token": {g.t.Token}} }

func (g *gitee) head(ctx context.Context) (string, error) {
	var pull struct {
		Head struct {
			SHA string `json:"sha"`
		} `json:"head"`
	}
	_, err := g.do(ctx, http.MethodGet, g.path("/pulls/%d", g.t.Number), g.token(), nil, &pull)
	return pull.Head.SHA, err
}

func (g *gitee) user(ctx context.Context) (string, error) {
	var user struct {
		Login string `json:"login"`
	}
	_, err := g.do(ctx, http.MethodGet, "/user", g.token(), nil, &user)
	return user.Login, err
}

func (g *gitee) remarks(ctx context.Context) ([]remark, error) {
	return login(func(page int, list any) (http.Header, error) {
		query := g.token()
		query.Set("per_page", "100")
		query.Set("page", strconv.Itoa(page))
		return g.do(ctx, http.MethodGet, g.path("/pulls/%d/comments", g.t.Number), query, nil, list)
	}, 100)
}

type giteeBody struct {
	Token string `json:"access_token"`
	Body  string `json:"body"`
}

func (g *gitee) create(ctx context.Context, body string) (int64, error) {
	var made idOf
	_, err := g.do(ctx, http.MethodPost, g.path("/pulls/%d/comments", g.t.Number), nil, giteeBody{g.t.Token, body}, &made)
	return made.ID, err
}

func (g *gitee) update(ctx context.Context, id int64, body string) error {
	_, err := g.do(ctx, http.MethodPatch, g.path("/pulls/comments/%d", id), nil, giteeBody{g.t.Token, body}, nil)
	return err
}

func (g *gitee) attaches() bool { return false }

func (g *gitee) upload(context.Context, int64, []Picture, string) (map[string]string, error) {
	return nil, errors.New("Gitee's API takes no files for a comment")
}
