package forge

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

var kinds = []Kind{GitHub, GitLab, Gitea, Gitee}

func forEach(t *testing.T, do func(t *testing.T, s *standIn, target Target)) {
	for _, k := range kinds {
		t.Run(string(k), func(t *testing.T) {
			s, target := newStandIn(t, k)
			do(t, s, target)
		})
	}
}

func comment(k Kind) Comment {
	ext := ".svg"
	if k.Form().PNG {
		ext = ".png"
	}
	return Comment{
		Body:     "### Review\n\n![before and after](pictures/a" + ext + ")\n\n![before and after](pictures/b" + ext + ")\n",
		Pictures: []Picture{{"a" + ext, []byte("picture a")}, {"b" + ext, []byte("picture b")}},
	}
}

var image = regexp.MustCompile(`!\[[^\]]*\]\(([^)]+)\)`)

// shownIn are the contents of the pictures that a comment shows.
func (s *standIn) shownIn(t *testing.T, body string, server string) (out []string) {
	for _, m := range image.FindAllStringSubmatch(body, -1) {
		data, ok := s.files[strings.TrimPrefix(m[1], server)]
		require.True(t, ok, "%s leads nowhere", m[1])
		out = append(out, string(data))
	}
	return out
}

func TestOneCommentForEachPullRequest(t *testing.T) {
	forEach(t, func(t *testing.T, s *standIn, target Target) {
		// A stranger's comment that looks like ours, and so many others that ours is on a second page.
		s.comments = append(s.comments, standInComment{id: 1, author: "mallory", body: marker + "\nclick here"})
		for i := range 130 {
			s.comments = append(s.comments, standInComment{id: int64(10 + i), author: "someone", body: "hm"})
		}
		others := len(s.comments)
		require.NoError(t, Publish(t.Context(), target, comment(target.Kind)))
		require.Len(t, s.comments, others+1)
		first := s.comments[others].body
		require.True(t, strings.HasPrefix(first, marker+"\n### Review\n"))
		want := []string{"picture a", "picture b"}
		if target.Kind == Gitee {
			want = nil
			require.Contains(t, first, "the picture is among the files of the CI job")
		}
		require.Equal(t, want, s.shownIn(t, first, target.Server))

		// Another push: the same comment says something else. One picture is the same, one is another, and what is not shown any more goes.
		c := comment(target.Kind)
		c.Body += "\nmore\n"
		c.Pictures[1].Data = []byte("picture b, changed")
		before := s.writes
		require.NoError(t, Publish(t.Context(), target, c))
		require.Len(t, s.comments, others+1)
		second := s.comments[others].body
		require.Contains(t, second, "more")
		if target.Kind != Gitee {
			require.Equal(t, []string{"picture a", "picture b, changed"}, s.shownIn(t, second, target.Server))
		}
		require.LessOrEqual(t, s.writes-before, 2, "one picture or reference, and the comment")
		if target.Kind == Gitea {
			require.Len(t, s.comments[others].assets, 2)
		}
		require.Equal(t, marker+"\nclick here", s.comments[0].body, "a stranger's comment is not touched")
	})
}

func TestNothingIsWrittenOfAnOldHead(t *testing.T) {
	forEach(t, func(t *testing.T, s *standIn, target Target) {
		target.Head = "def456"
		require.ErrorIs(t, Publish(t.Context(), target, comment(target.Kind)), ErrMoved)
		require.Zero(t, s.writes)
		target.Head = "abc123"
		require.NoError(t, Publish(t.Context(), target, comment(target.Kind)))
		require.Len(t, s.comments, 1)
	})
}

func TestACommentIsCutAtTheForgesLimit(t *testing.T) {
	forEach(t, func(t *testing.T, s *standIn, target Target) {
		long := "<details><summary>x</summary>\n\n" + strings.Repeat("- 报警 "+strings.Repeat("界", 40)+"\n", 30_000) + "</details>\n"
		require.NoError(t, Publish(t.Context(), target, Comment{Body: long}))
		body := s.comments[0].body
		require.True(t, utf8.ValidString(body))
		require.True(t, strings.HasSuffix(body, "\n</details>\n\n… the rest is among the files of the CI job.\n"), "%q", body[len(body)-200:])
		require.Greater(t, len(body), 50_000)
	})
}

func TestRefusalsAreNamedWithoutTheToken(t *testing.T) {
	forEach(t, func(t *testing.T, s *standIn, target Target) {
		good := target.Token
		target.Token = "wrong+" + good
		err := Publish(t.Context(), target, comment(target.Kind))
		require.ErrorContains(t, err, "401 Unauthorized: Bad credentials; the token lacks the right")
		require.NotContains(t, err.Error(), "wrong")

		target.Token = good
		s.garbage = true
		err = Publish(t.Context(), target, comment(target.Kind))
		require.ErrorContains(t, err, "the answer is not what the API says; is --api its address")
		require.NotContains(t, err.Error(), "struct", "types of this program help no one")
		s.garbage = false

		nothing := httptest.NewServer(http.NotFoundHandler())
		defer nothing.Close()
		elsewhere := target
		elsewhere.API = nothing.URL
		require.ErrorContains(t, Publish(t.Context(), elsewhere, comment(target.Kind)), "404 Not Found; check --api, --repository and --number")

		target.API = "http://127.0.0.1:1/api"
		err = Publish(t.Context(), target, comment(target.Kind))
		require.ErrorContains(t, err, "127.0.0.1:1")
		require.NotContains(t, err.Error(), "s3cret")
		require.Zero(t, s.writes)

		target.Token = ""
		require.ErrorContains(t, Publish(t.Context(), target, comment(target.Kind)), "set "+strings.ToUpper(string(target.Kind))+"_TOKEN")
	})
}

func TestAPictureThatIsRefusedCostsNoComment(t *testing.T) {
	forEach(t, func(t *testing.T, s *standIn, target Target) {
		s.refuse = true
		var notes []string
		target.Note = func(format string, _ ...any) { notes = append(notes, format) }
		require.NoError(t, Publish(t.Context(), target, comment(target.Kind)))
		require.Len(t, s.comments, 1)
		require.Empty(t, image.FindAllString(s.comments[0].body, -1))
		if !target.Kind.Form().NoPictures {
			require.Equal(t, []string{"the comment has no pictures: %v"}, notes)
		}
	})
}

func TestTheTokenOfAWorkflowFindsItsOwnComment(t *testing.T) {
	s, target := newStandIn(t, GitHub)
	s.user = ""
	for range 2 {
		require.NoError(t, Publish(t.Context(), target, comment(GitHub)))
	}
	require.Len(t, s.comments, 1)
	require.Equal(t, "commit1", s.refs["refs/lookout/pictures/7"])
}

func TestPicturesOfStrangersAreBounded(t *testing.T) {
	s, target := newStandIn(t, GitHub)
	for _, name := range []string{"../../x.svg", "a b.svg", ".svg", "x.html", "-o.png"} {
		require.ErrorContains(t, Publish(t.Context(), target, Comment{Body: "x", Pictures: []Picture{{name, []byte("x")}}}), "letters, digits", name)
	}
	require.Zero(t, s.writes)
	require.NoError(t, Publish(t.Context(), target, Comment{Body: "![x](pictures/x.svg)", Pictures: []Picture{{"x.svg", make([]byte, mostBytes+1)}}}))
	require.NotContains(t, s.comments[0].body, "![")
}

func TestTheEnvironmentOfCI(t *testing.T) {
	for _, test := range []struct {
		kind Kind
		env  map[string]string
		want Target
		base string
	}{
		{GitHub, map[string]string{"GITHUB_REPOSITORY": "a/b", "GITHUB_REF": "refs/pull/12/merge", "GITHUB_TOKEN": "t", "GITHUB_BASE_REF": "main", "GITHUB_SERVER_URL": "https://gh.example"},
			Target{Kind: GitHub, API: "https://api.github.com", Server: "https://gh.example", Repository: "a/b", Number: 12, Token: "t"}, "origin/main"},
		{Gitea, map[string]string{"GITHUB_API_URL": "https://gitea.example/api/v1", "GITHUB_REPOSITORY": "a/b", "GITHUB_REF": "refs/pull/3/head", "GITEA_TOKEN": "t"},
			Target{Kind: Gitea, API: "https://gitea.example/api/v1", Repository: "a/b", Number: 3, Token: "t"}, ""},
		{GitLab, map[string]string{"CI_API_V4_URL": "https://gl.example/api/v4", "CI_PROJECT_ID": "42", "CI_MERGE_REQUEST_IID": "5", "GITLAB_TOKEN": "t", "CI_MERGE_REQUEST_DIFF_BASE_SHA": "abc"},
			Target{Kind: GitLab, API: "https://gl.example/api/v4", Repository: "42", Number: 5, Token: "t"}, "abc"},
		{Gitee, map[string]string{"GITEE_PULL_ID": "9", "GITEE_COMMIT": "def", "GITEE_TOKEN": "t"}, Target{Kind: Gitee, API: "https://gitee.com/api/v5", Number: 9, Token: "t"}, "def"},
	} {
		getenv := func(name string) string { return test.env[name] }
		require.Equal(t, test.want, FromEnvironment(test.kind, getenv))
		require.Equal(t, test.base, Base(test.kind, getenv))
	}
}
