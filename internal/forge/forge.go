// Package forge writes a review into one comment of a pull request, and keeps it up to date: on GitHub, GitLab, Gitea (Forgejo) and Gitee.
//
// Of each API it needs four requests. A client library for each would be four large modules for that.
package forge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Kind names a forge.
type Kind string

// The forges.
const (
	GitHub Kind = "github"
	GitLab Kind = "gitlab"
	Gitea  Kind = "gitea"
	Gitee  Kind = "gitee"
)

// Form is what a forge shows of a comment.
type Form struct {
	// Limit is the most bytes of a comment.
	Limit int
	// Plain means that HTML in Markdown, <details> above all, is not to be relied upon.
	Plain bool
	// PNG means that pictures have to be PNG, else they are SVG.
	PNG bool
	// NoPictures means that the API takes none.
	NoPictures bool
}

// reserve is kept of each limit for addresses of pictures and the lines that are added here.
const reserve = 4_000

// Form is that of comments; the zero Kind is a Markdown file, whose pictures are files next to it.
func (k Kind) Form() Form {
	switch k {
	case GitHub:
		// The API refuses a body of more than 65,536 characters.
		return Form{Limit: 65_536 - reserve}
	case GitLab:
		// Notes have up to 1,000,000 characters; no one reads as many.
		// Source: https://docs.gitlab.com/administration/instance_limits/#size-of-comments-and-descriptions-of-issues-merge-requests-and-epics
		return Form{Limit: 200_000, PNG: true}
	case Gitea:
		return Form{Limit: 65_536 - reserve, PNG: true}
	case Gitee:
		// Its API has no way to attach a file to a comment.
		return Form{Limit: 65_536 - reserve, Plain: true, NoPictures: true}
	}
	return Form{Plain: true}
}

// Picture is a file that the comment shows.
type Picture struct {
	Name string
	Data []byte
}

// Comment is what is written. Its body shows a picture by a link to pictures/<name>.
type Comment struct {
	Body     string
	Pictures []Picture
}

// Target is the pull request.
type Target struct {
	Kind Kind
	// API is the root of the API: https://api.github.com, https://gitlab.example/api/v4, https://gitea.example/api/v1, https://gitee.com/api/v5.
	API string
	// Server is where the forge's pages are; only GitHub needs it, for the addresses of pictures. "" means https://github.com.
	Server string
	// Repository is owner/name; for GitLab the number of the project or its path.
	Repository string
	// Number is that of the pull request.
	Number int
	Token  string
	// Head is the commit that was reviewed; if the pull request has another by now nothing is written. "" writes always.
	Head string
	HTTP *http.Client
	// Note gets diagnostics.
	Note func(format string, args ...any)
}

// ErrMoved is returned when the pull request has another head than the one that was reviewed.
var ErrMoved = errors.New("the pull request has moved on")

// marker begins the comment, so that it is found again.
const marker = "<!-- lookout review -->"

// remark is a comment of a pull request.
type remark struct {
	id           int64
	author, body string
}

// client is what each forge implements.
type client interface {
	// head is the commit that the pull request wants to merge.
	head(ctx context.Context) (string, error)
	// user is the name of the token's owner.
	user(ctx context.Context) (string, error)
	remarks(ctx context.Context) ([]remark, error)
	// create and update write a comment; create returns its id.
	create(ctx context.Context, body string) (int64, error)
	update(ctx context.Context, id int64, body string) error
	// upload brings pictures to the forge and returns their addresses by name. id is that of the comment. had is the comment's text so far: pictures that it shows
	// already need not be uploaded again.
	upload(ctx context.Context, id int64, pictures []Picture, had string) (map[string]string, error)
	// attaches means that pictures belong to a comment, which has to exist before.
	attaches() bool
}

// Publish writes the comment, or replaces what it said before: there is one for each pull request. Pictures that can't be uploaded are left out and reported.
func Publish(ctx context.Context, t Target, c Comment) error {
	k, err := t.client()
	if err != nil {
		return err
	}
	if t.Head != "" {
		head, err := k.head(ctx)
		if err != nil {
			return err
		}
		if head != t.Head {
			return fmt.Errorf("%w: its head is %.12s, and %.12s was reviewed", ErrMoved, head, t.Head)
		}
	}
	user, err := k.user(ctx)
	if err != nil {
		return err
	}
	remarks, err := k.remarks(ctx)
	if err != nil {
		return err
	}
	var mine remark
	// Only one's own comment is replaced: anyone may write one that begins with the marker.
	if i := slices.IndexFunc(remarks, func(r remark) bool { return r.author == user && strings.HasPrefix(r.body, marker) }); i >= 0 {
		mine = remarks[i]
	}
	pictures, err := acceptable(c.Pictures)
	if err != nil {
		return err
	}
	form := t.Kind.Form()
	if form.NoPictures {
		pictures = nil
	}
	if len(pictures) > 0 && mine.id == 0 && k.attaches() {
		if mine.id, err = k.create(ctx, finish(c.Body, nil, form.Limit)); err != nil {
			return err
		}
	}
	var urls map[string]string
	if len(pictures) > 0 {
		if urls, err = k.upload(ctx, mine.id, pictures, mine.body); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			t.Note("the comment has no pictures: %v", err)
			urls = nil
		}
	}
	body := finish(c.Body, urls, form.Limit)
	if mine.id == 0 {
		_, err = k.create(ctx, body)
		return err
	}
	if mine.body == body {
		return nil
	}
	return k.update(ctx, mine.id, body)
}

// What is accepted of pictures, since they may come from a job that ran a stranger's code.
const (
	mostPictures = 60
	mostBytes    = 2 << 20
)

var goodName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,199}\.(svg|png)$`)

func acceptable(pictures []Picture) ([]Picture, error) {
	var out []Picture
	for _, p := range pictures {
		if !goodName.MatchString(p.Name) {
			return nil, fmt.Errorf("a picture is called %q; letters, digits, dots and dashes, ending in .svg or .png, are accepted", p.Name)
		}
		if len(p.Data) <= mostBytes && len(out) < mostPictures {
			out = append(out, p)
		}
	}
	return out, nil
}

// versioned is the name of a picture with a checksum of its content, by which it is recognised in an earlier comment.
func versioned(p Picture) string {
	sum := sha256.Sum256(p.Data)
	ext := path.Ext(p.Name)
	return strings.TrimSuffix(p.Name, ext) + "-" + hex.EncodeToString(sum[:6]) + ext
}

// shown matches a picture in the body.
var shown = regexp.MustCompile(`!\[([^\]]*)\]\(pictures/([^)]+)\)`)

// finish puts in the addresses of the pictures and cuts what is too long, at the end of a line.
func finish(body string, urls map[string]string, limit int) string {
	body = shown.ReplaceAllStringFunc(body, func(s string) string {
		m := shown.FindStringSubmatch(s)
		if url := urls[m[2]]; url != "" {
			return "![" + m[1] + "](" + url + ")"
		}
		return "*(the picture is among the files of the CI job)*"
	})
	body = marker + "\n" + strings.ToValidUTF8(strings.TrimPrefix(body, marker+"\n"), "\uFFFD")
	if most := limit + reserve; len(body) > most {
		const more = "\n\n… the rest is among the files of the CI job.\n"
		cut := body[:most-len(more)-64]
		for !utf8.ValidString(cut) {
			cut = cut[:len(cut)-1]
		}
		cut = cut[:strings.LastIndexByte(cut, '\n')+1]
		if open := strings.Count(cut, "<details") - strings.Count(cut, "</details>"); open > 0 {
			cut += strings.Repeat("\n</details>", min(open, 3))
		}
		body = cut + more
	}
	return body
}

// Check reports what is missing or wrong, before anything is sent.
func (t *Target) Check() error {
	_, err := t.client()
	return err
}

func (t *Target) client() (client, error) {
	if t.Token == "" {
		return nil, fmt.Errorf("no token for %s; set %s", t.Kind, t.Kind.TokenVariable())
	}
	if t.Number <= 0 {
		return nil, errors.New("no number of a pull request; give --number")
	}
	api, err := newAPI(t.API, t.Token, t.HTTP)
	if err != nil {
		return nil, err
	}
	owner, name, ok := strings.Cut(t.Repository, "/")
	if t.Kind != GitLab && (!ok || owner == "" || name == "" || strings.Contains(name, "/")) {
		return nil, fmt.Errorf("the repository is %q; give --repository owner/name", t.Repository)
	}
	switch t.Kind {
	case GitHub:
		return &github{api, t, owner, name}, nil
	case GitLab:
		if t.Repository == "" {
			return nil, errors.New("no project; give its number or path by --repository")
		}
		return &gitlab{api, t}, nil
	case Gitea:
		return &gitea{api, t, owner, name}, nil
	case Gitee:
		return &gitee{api, t, owner, name}, nil
	}
	return nil, fmt.Errorf("%q is not a known forge; known are github, gitlab, gitea and gitee", t.Kind)
}

// TokenVariable is the environment variable that holds the token.
func (k Kind) TokenVariable() string { return strings.ToUpper(string(k)) + "_TOKEN" }
