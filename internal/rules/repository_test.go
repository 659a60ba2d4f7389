package rules

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"lookout/internal/promql"
)

// A rule that nobody applies is said to be one.
func TestRulesThatAreNotAppliedAreNamed(t *testing.T) {
	rule, err := os.ReadFile("testdata/cases/own/anchor-ok.yaml")
	if err != nil {
		t.Fatal(err)
	}
	other := []byte(strings.NewReplacer("GoThreadsHigh", "Other", "go-threads-high", "other", "name: g", "name: other").Replace(string(rule)))
	fsys := fstest.MapFS{
		"alerts/go.yaml":           {Data: rule},
		"alerts/team/db.yaml":      {Data: other},
		"alerts/redis.yml":         {Data: other},
		"alerts/team/db.test.yaml": {Data: []byte("tests: []\n")},
		"alerts/team/notes.yaml":   {Data: []byte("who: dba\n")},
		"alerts/.old/x.yaml":       {Data: other},
		"docs/x.md":                {Data: []byte("# x")},
		"dashboards/none":          {Data: nil},
	}
	_, problems, err := CheckRepository(fsys, promql.NewParser(), "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range problems {
		if strings.Contains(p.Message, "not applied") {
			got = append(got, p.Error())
		}
	}
	want := "alerts/redis.yml:1:1: holds rules that are not applied: only alerts/*.yaml is; move it to alerts/redis.yaml\n" +
		"alerts/team/db.yaml:1:1: holds rules that are not applied: only alerts/*.yaml is; move it to alerts/db.yaml"
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s\nof all %v", strings.Join(got, "\n"), want, problems)
	}
}
