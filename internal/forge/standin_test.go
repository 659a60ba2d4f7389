package forge

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// standIn answers as one forge's API is documented to, and refuses everything else: an unknown path, a wrong method, a missing header, a field that the API does not have,
// a comment that is too long.
type standIn struct {
	t        *testing.T
	kind     Kind
	comments []standInComment
	next     int64
	head     string
	// user owns the token; "" is the token of a workflow, which may not ask who it is.
	user string
	// files are the uploads by address, blobs and trees those of GitHub.
	files, blobs map[string][]byte
	trees        map[string]map[string]string
	commits      map[string]string
	refs         map[string]string
	// refuse makes uploads fail.
	refuse bool
	// writes counts what changed something.
	writes int
	// garbage makes every answer a page.
	garbage bool
}

type standInComment struct {
	id           int64
	author, body string
	assets       map[int64]string
}

const theToken = "s3cret+token/value"

func newStandIn(t *testing.T, kind Kind) (*standIn, Target) {
	s := &standIn{
		t: t, kind: kind, head: "abc123", user: "robot", next: 1000, files: map[string][]byte{}, blobs: map[string][]byte{}, trees: map[string]map[string]string{},
		commits: map[string]string{}, refs: map[string]string{},
	}
	mux := http.NewServeMux()
	handle := func(pattern string, do func(w http.ResponseWriter, r *http.Request)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if s.garbage {
				fmt.Fprint(w, "<html>maintenance</html>")
				return
			}
			if s.allowed(w, r) {
				do(w, r)
			}
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("%s: there is no %s %s", kind, r.Method, r.URL)
		http.Error(w, `{"message":"Not Found"}`, http.StatusNotFound)
	})
	target := Target{Kind: kind, Number: 7, Token: theToken, Repository: "team/shop", HTTP: http.DefaultClient, Note: t.Logf}
	handle("GET /api/user", func(w http.ResponseWriter, _ *http.Request) {
		if s.user == "" {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"message":"Resource not accessible by integration"}`)
			return
		}
		reply(w, 200, map[string]any{"login": s.user, "username": s.user})
	})
	pull, list, one := "/api/repos/team/shop/pulls/7", "/api/repos/team/shop/issues/7/comments", "/api/repos/team/shop/issues/comments/{id}"
	method, perPage := "PATCH", 100
	switch kind {
	case GitLab:
		target.Repository = "team/shop"
		pull, list, one, method = "/api/projects/{project}/merge_requests/7", "/api/projects/{project}/merge_requests/7/notes", "/api/projects/{project}/merge_requests/7/notes/{id}", "PUT"
		handle("POST /api/projects/{project}/uploads", s.gitlabUpload)
	case GitHub:
		handle("POST /api/repos/team/shop/git/blobs", s.blob)
		handle("POST /api/repos/team/shop/git/trees", s.tree)
		handle("POST /api/repos/team/shop/git/commits", s.commit)
		handle("POST /api/repos/team/shop/git/refs", s.makeRef)
		handle("PATCH /api/repos/team/shop/git/refs/lookout/pictures/7", s.moveRef)
	case Gitea:
		perPage = 0
		handle("GET "+one+"/assets", s.assets)
		handle("POST "+one+"/assets", s.attach)
		handle("DELETE "+one+"/assets/{asset}", s.detach)
	case Gitee:
		list, one = "/api/repos/team/shop/pulls/7/comments", "/api/repos/team/shop/pulls/comments/{id}"
	}
	handle("GET "+pull, func(w http.ResponseWriter, _ *http.Request) {
		reply(w, 200, map[string]any{"sha": s.head, "head": map[string]any{"sha": s.head}})
	})
	handle("GET "+list, func(w http.ResponseWriter, r *http.Request) { s.list(w, r, perPage) })
	handle("POST "+list, func(w http.ResponseWriter, r *http.Request) {
		if body, ok := s.body(w, r); ok {
			s.writes++
			s.next++
			s.comments = append(s.comments, standInComment{s.next, s.author(), body, map[int64]string{}})
			reply(w, 201, map[string]any{"id": s.next})
		}
	})
	handle(method+" "+one, func(w http.ResponseWriter, r *http.Request) {
		c := s.find(w, r)
		if body, ok := s.body(w, r); c != nil && ok {
			s.writes++
			c.body = body
			reply(w, 200, map[string]any{"id": c.id})
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	target.API, target.Server = server.URL+"/api", server.URL
	return s, target
}

func (s *standIn) author() string {
	if s.user == "" {
		return actions
	}
	return s.user
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, status int, text string) bool {
	reply(w, status, map[string]string{"message": text})
	return false
}

// allowed checks what each request has to carry.
func (s *standIn) allowed(w http.ResponseWriter, r *http.Request) bool {
	ok := false
	switch s.kind {
	case GitHub:
		if r.Header.Get("Accept") != "application/vnd.github+json" || r.Header.Get("X-GitHub-Api-Version") != "2022-11-28" || r.Header.Get("User-Agent") == "" {
			return refuse(w, 400, "headers of the API are missing")
		}
		ok = r.Header.Get("Authorization") == "Bearer "+theToken
	case GitLab:
		if p := r.PathValue("project"); p != "" && p != "team/shop" {
			return refuse(w, 404, "404 Project Not Found")
		}
		ok = r.Header.Get("PRIVATE-TOKEN") == theToken
	case Gitea:
		ok = r.Header.Get("Authorization") == "token "+theToken
	case Gitee:
		if r.Method != http.MethodGet {
			return true // the token is in the body
		}
		ok = r.URL.Query().Get("access_token") == theToken
	}
	if !ok {
		return refuse(w, 401, "Bad credentials")
	}
	return true
}

// body reads the text of a comment.
func (s *standIn) body(w http.ResponseWriter, r *http.Request) (string, bool) {
	fields, ok := s.fields(w, r)
	if !ok {
		return "", false
	}
	allowed := []string{"body"}
	if s.kind == Gitee {
		allowed = append(allowed, "access_token")
		if fields["access_token"] != theToken {
			return "", refuse(w, 401, "401 Unauthorized: Access token does not exist")
		}
	}
	for name := range fields {
		if !slices.Contains(allowed, name) {
			return "", refuse(w, 422, "unknown field "+name)
		}
	}
	body, _ := fields["body"].(string)
	limit := map[Kind]int{GitHub: 65_536, GitLab: 1_000_000, Gitea: 65_536, Gitee: 65_536}[s.kind]
	if n := utf8.RuneCountInString(body); n == 0 || n > limit {
		return "", refuse(w, 422, fmt.Sprintf("body is too long (maximum is %d characters)", limit))
	}
	return body, true
}

func (s *standIn) fields(w http.ResponseWriter, r *http.Request) (map[string]any, bool) {
	if r.Header.Get("Content-Type") != "application/json" {
		return nil, refuse(w, 415, "not JSON")
	}
	fields := map[string]any{}
	if err := json.NewDecoder(r.Body).Decode(&fields); err != nil {
		return nil, refuse(w, 400, "Problems parsing JSON")
	}
	return fields, true
}

func (s *standIn) find(w http.ResponseWriter, r *http.Request) *standInComment {
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
	i := slices.IndexFunc(s.comments, func(c standInComment) bool { return c.id == id })
	if i < 0 {
		refuse(w, 404, "Not Found")
		return nil
	}
	if s.comments[i].author != s.author() {
		refuse(w, 403, "Must have admin rights to edit a stranger's comment")
		return nil
	}
	return &s.comments[i]
}

func (s *standIn) list(w http.ResponseWriter, r *http.Request, perPage int) {
	page, size := 1, 20
	if perPage == 0 {
		size = 1 << 30
	} else {
		if n, err := strconv.Atoi(r.URL.Query().Get("page")); err == nil {
			page = n
		}
		if n, err := strconv.Atoi(r.URL.Query().Get("per_page")); err == nil && n <= perPage {
			size = n
		}
	}
	out := []any{}
	from := min((page-1)*size, len(s.comments))
	to := min(from+size, len(s.comments))
	for _, c := range s.comments[from:to] {
		by := map[string]any{"login": c.author, "username": c.author}
		out = append(out, map[string]any{"id": c.id, "body": c.body, "user": by, "author": by})
	}
	if s.kind == GitLab {
		next := ""
		if to < len(s.comments) {
			next = strconv.Itoa(page + 1)
		}
		w.Header().Set("X-Next-Page", next)
	}
	reply(w, 200, out)
}

// file reads an uploaded file.
func (s *standIn) file(w http.ResponseWriter, r *http.Request, field string) (name string, data []byte, ok bool) {
	if s.refuse {
		return "", nil, refuse(w, 413, "the file is too large")
	}
	f, header, err := r.FormFile(field)
	if err != nil {
		return "", nil, refuse(w, 400, field+" is missing")
	}
	defer f.Close()
	data, _ = io.ReadAll(f)
	if !strings.HasSuffix(header.Filename, ".png") {
		return "", nil, refuse(w, 422, "this type of file is not allowed")
	}
	s.writes++
	return header.Filename, data, true
}

func (s *standIn) gitlabUpload(w http.ResponseWriter, r *http.Request) {
	if name, data, ok := s.file(w, r, "file"); ok {
		url := fmt.Sprintf("/uploads/%032x/%s", len(s.files), name)
		s.files[url] = data
		reply(w, 201, map[string]any{"alt": name, "url": url, "full_path": "/-/project/1" + url, "markdown": "![" + name + "](" + url + ")"})
	}
}

func (s *standIn) assets(w http.ResponseWriter, r *http.Request) {
	if c := s.find(w, r); c != nil {
		out := []any{}
		for id, name := range c.assets {
			out = append(out, map[string]any{"id": id, "name": name, "browser_download_url": fmt.Sprintf("https://gitea.example/attachments/%d", id)})
		}
		reply(w, 200, out)
	}
}

func (s *standIn) attach(w http.ResponseWriter, r *http.Request) {
	c := s.find(w, r)
	name, data, ok := s.file(w, r, "attachment")
	if c == nil || !ok {
		return
	}
	s.next++
	url := fmt.Sprintf("https://gitea.example/attachments/%d", s.next)
	c.assets[s.next], s.files[url] = name, data
	reply(w, 201, map[string]any{"id": s.next, "name": name, "browser_download_url": url})
}

func (s *standIn) detach(w http.ResponseWriter, r *http.Request) {
	if c := s.find(w, r); c != nil {
		id, _ := strconv.ParseInt(r.PathValue("asset"), 10, 64)
		delete(c.assets, id)
		delete(s.files, fmt.Sprintf("https://gitea.example/attachments/%d", id))
		w.WriteHeader(http.StatusNoContent)
	}
}

func (s *standIn) sha(kind string, n int) string { return fmt.Sprintf("%s%d", kind, n) }

func (s *standIn) blob(w http.ResponseWriter, r *http.Request) {
	if s.refuse {
		refuse(w, 403, "Resource not accessible by integration")
		return
	}
	fields, ok := s.fields(w, r)
	data, err := base64.StdEncoding.DecodeString(fmt.Sprint(fields["content"]))
	if !ok || err != nil || fields["encoding"] != "base64" {
		refuse(w, 422, "content is not base64")
		return
	}
	sha := s.sha("blob", len(s.blobs))
	s.blobs[sha] = data
	reply(w, 201, map[string]string{"sha": sha})
}

func (s *standIn) tree(w http.ResponseWriter, r *http.Request) {
	fields, ok := s.fields(w, r)
	entries := map[string]string{}
	list, _ := fields["tree"].([]any)
	for _, e := range list {
		m, _ := e.(map[string]any)
		if m["mode"] != "100644" || m["type"] != "blob" || s.blobs[fmt.Sprint(m["sha"])] == nil {
			refuse(w, 422, "tree.sha is invalid")
			return
		}
		entries[fmt.Sprint(m["path"])] = fmt.Sprint(m["sha"])
	}
	if !ok || len(entries) == 0 {
		refuse(w, 422, "Invalid tree info")
		return
	}
	sha := s.sha("tree", len(s.trees))
	s.trees[sha] = entries
	reply(w, 201, map[string]string{"sha": sha})
}

func (s *standIn) commit(w http.ResponseWriter, r *http.Request) {
	fields, ok := s.fields(w, r)
	tree := fmt.Sprint(fields["tree"])
	parents, isList := fields["parents"].([]any)
	if !ok || s.trees[tree] == nil || fields["message"] == "" || !isList || len(parents) > 0 {
		refuse(w, 422, "Tree SHA does not exist")
		return
	}
	sha := s.sha("commit", len(s.commits))
	s.commits[sha] = tree
	for name, blob := range s.trees[tree] {
		s.files["/team/shop/raw/"+sha+"/"+name] = s.blobs[blob]
	}
	reply(w, 201, map[string]string{"sha": sha})
}

func (s *standIn) makeRef(w http.ResponseWriter, r *http.Request) {
	fields, ok := s.fields(w, r)
	ref, sha := fmt.Sprint(fields["ref"]), fmt.Sprint(fields["sha"])
	switch {
	case !ok || !strings.HasPrefix(ref, "refs/") || s.commits[sha] == "":
		refuse(w, 422, "Object does not exist")
	case s.refs[ref] != "":
		refuse(w, 422, "Reference already exists")
	default:
		s.writes++
		s.refs[ref] = sha
		reply(w, 201, map[string]string{"ref": ref})
	}
}

func (s *standIn) moveRef(w http.ResponseWriter, r *http.Request) {
	fields, ok := s.fields(w, r)
	if sha := fmt.Sprint(fields["sha"]); ok && s.commits[sha] != "" && fields["force"] == true {
		s.writes++
		s.refs["refs/lookout/pictures/7"] = sha
		reply(w, 200, map[string]string{})
		return
	}
	refuse(w, 422, "Update is not a fast forward")
}
