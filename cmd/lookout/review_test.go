package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// What an earlier run wrote is published with its pictures, and without looking at the working tree. (What each forge's API wants is tested in internal/forge.)
func TestAReviewIsPublishedFromItsFiles(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "pictures"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "review.md"), []byte("### Review\n\n![before and after](pictures/a.png)\n"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "pictures", "a.png"), []byte("picture"), 0o644))
	var note string
	mux := http.NewServeMux()
	mux.HandleFunc("GET /user", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"username": "robot"}`) })
	mux.HandleFunc("GET /projects/{id}/merge_requests/7", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"sha": "abc"}`) })
	mux.HandleFunc("GET /projects/{id}/merge_requests/7/notes", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `[]`) })
	mux.HandleFunc("POST /projects/{id}/uploads", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"url": "/uploads/0123456789abcdef0123456789abcdef/a.png"}`)
	})
	mux.HandleFunc("POST /projects/{id}/merge_requests/7/notes", func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		note = string(data)
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"id": 1}`)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	env := map[string]string{"GITLAB_TOKEN": "s3cret", "CI_API_V4_URL": server.URL, "CI_PROJECT_ID": "1", "CI_MERGE_REQUEST_IID": "7"}
	publish := func(want int, args ...string) string {
		_, stderr := lookout(t, env, want, append([]string{"review", "--forge=gitlab", "--publish", "--from=" + dir}, args...)...)
		return stderr
	}
	require.Contains(t, publish(exitClean, "--head=def"), "nothing was published: the pull request has moved on")
	require.Empty(t, note)
	publish(exitClean, "--head=abc")
	require.JSONEq(t, `{"body": "<!-- lookout review -->\n### Review\n\n![before and after](/uploads/0123456789abcdef0123456789abcdef/a.png)\n"}`, note)
	// A review that can't be made replaces what the comment said of an earlier push.
	lookout(t, env, exitFailed, "review", "--forge=gitlab", "--publish", "--base=nowhere", "--out="+t.TempDir())
	require.Contains(t, note, `The review could not run:\n\n`+"```"+`\n--base \"nowhere\": git merge-base:`)
	// So does one that is published by another job.
	_, _ = lookout(t, env, exitFailed, "review", "--base=nowhere", "--out="+dir)
	publish(exitClean)
	require.Contains(t, note, `The review could not run:\n\n`+"```"+`\n--base \"nowhere\"`)
	// Where there is no review, nothing is published.
	note = ""
	require.NoError(t, os.WriteFile(filepath.Join(dir, "review.md"), []byte("\n"), 0o644))
	require.Contains(t, publish(exitFailed), "review.md is empty")
	require.NoError(t, os.Remove(filepath.Join(dir, "review.md")))
	require.Contains(t, publish(exitFailed), "there is no review.md; name the directory that lookout review --out wrote")
	require.Empty(t, note)
}
