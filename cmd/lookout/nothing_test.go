package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Values that are none are refused by name, and a run that looked at nothing says so.
func TestWhatIsWrongIsNamed(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.Mkdir("empty", 0o700))
	require.NoError(t, os.Mkdir("dashboards", 0o700))
	for name, text := range map[string]string{"a.json": "{}", "page.json": "<html>", "m.prom": "up 1\n", "dashboards/lock.json": "{"} {
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	}
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"lint empty", exitClean, "there is no dashboard and no rule file in empty\n"},
		{"fmt --check empty", exitClean, "there is no dashboard in empty\n"},
		{"check --metrics m.prom empty", exitClean, "there is no dashboard and no rule file in empty\n"},
		{"diff", exitFailed, "lookout: this is not a git repository, so there is nothing to compare with; give two files\n"},
		{"diff a.json", exitFailed, "lookout: this is not a git repository, so there is nothing to compare with; give two files\n"},
		{"diff a.json nosuch.json", exitFailed, `lookout: "nosuch.json" is not a file, and this is not a git repository; give two files` + "\n"},
		{"diff --limit=-1 a.json a.json", exitFailed, "lookout: --limit is -1; give a number of bytes, or 0 for all of it\n"},
		{"diff --html --format json a.json a.json", exitFailed, "lookout: --html and --format=json are both given; give one of them\n"},
		{"import --dir new --revision=-3 1860", exitFailed, "lookout: --revision -3: revisions are counted from 1; leave it out for the newest\n"},
		{"import --dir new page.json", exitFailed, "lookout: page.json:1:1: '<' where a value should be\n"},
		{"import --dir new a.json", exitFailed, "lookout: a.json:1:1: "},
		{"import --dir new empty", exitFailed, "lookout: empty is a directory; name a file, an address (https://…) or a number in the catalogue\n"},
		{"import page.json", exitFailed, "lookout: dashboards/lock.json is not a lock file that lookout import wrote (unexpected EOF); restore it from git\n"},
		{"check --since 0s --metrics m.prom empty", exitFailed, "lookout: --since 0s: write a duration above zero, such as 1h\n"},
		{"review --base HEAD", exitFailed, "; run it in a git repository\n"},
		{"convert --to v2 empty", exitFailed, "lookout: there is no dashboard in empty\n"},
	} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), strings.Fields(c.args), nil, &stdout, &stderr, os.Getenv)
		require.Equal(t, c.code, code, "%s: %s%s", c.args, &stdout, &stderr)
		require.Contains(t, stderr.String(), c.want, c.args)
		require.NoDirExists(t, "new")
	}
}
