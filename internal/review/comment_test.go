package review

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lookout/internal/dashboard"
	"lookout/internal/dashboard/dashtest"
	"lookout/internal/finding"
	"lookout/internal/forge"
	"lookout/internal/lint"
)

// changed is a repository in which so many dashboards changed in so many panels each, as of HEAD; the working directory is in it.
func changed(tb testing.TB, dashboards, panels int) {
	tb.Helper()
	tb.Chdir(tb.TempDir())
	git := func(args ...string) {
		out, err := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"}, args...)...).CombinedOutput()
		require.NoError(tb, err, "%s", out)
	}
	require.NoError(tb, os.Mkdir("dashboards", 0o755))
	git("init", "-q")
	files := dashtest.Collection(1, dashboards, dashtest.Metrics(1, 100))
	for i, f := range files {
		files[i].Name = filepath.Join("dashboards", fmt.Sprintf("d%02d.json", i))
		d, err := dashboard.Load(files[i].Name, f.Data)
		require.NoError(tb, err)
		files[i].Data = d.Canonical()
		require.NoError(tb, os.WriteFile(files[i].Name, files[i].Data, 0o644))
	}
	git("add", ".")
	git("commit", "-qm", "first")
	for _, f := range files {
		d, err := dashboard.Load(f.Name, f.Data)
		require.NoError(tb, err)
		n := 0
		for _, p := range d.Panels {
			if p.IsRow() || n == panels || len(p.Targets) == 0 || p.Targets[0].ExprNode == nil {
				continue
			}
			n++
			p.Targets[0].ExprNode.Replace(dashboard.NewString("sum(" + p.Targets[0].Expr + ")"))
		}
		require.Equal(tb, panels, n, f.Name)
		made, err := dashboard.Load(f.Name, d.Doc.Root.JSON())
		require.NoError(tb, err)
		require.NoError(tb, os.WriteFile(f.Name, made.Canonical(), 0o644))
	}
}

func options(form forge.Form) Options {
	return Options{Base: "HEAD", Config: lint.DefaultConfig(), PNG: form.PNG, Now: time.Unix(1_700_000_000, 0)}
}

// A comment never exceeds what its forge takes, and says what it leaves out; the pictures that it shows are there.
func TestACommentFitsItsForge(t *testing.T) {
	changed(t, 4, 12)
	for _, k := range []forge.Kind{"", forge.GitHub, forge.Gitee} {
		form := k.Form()
		r, err := Make(t.Context(), options(form))
		require.NoError(t, err)
		body := r.Comment(form)
		names := map[string]bool{}
		for _, p := range r.AllPictures() {
			names[p.Name] = true
			require.Equal(t, !form.NoPictures, strings.Contains(body, "("+PictureDirectory+"/"+p.Name+")"), p.Name)
		}
		require.Len(t, names, 4)
		require.Equal(t, !form.Plain, strings.Contains(body, "<details"))
		form.Limit = 800
		short := r.Comment(form)
		require.LessOrEqual(t, len(short), 900)
		require.Contains(t, short, "more change")
	}
}

// BenchmarkComment is the comment of 20 dashboards with 4 changed panels each, in PNG, which takes longest.
func BenchmarkComment(b *testing.B) {
	changed(b, 20, 4)
	form := forge.GitLab.Form()
	for b.Loop() {
		r, err := Make(context.Background(), options(form))
		require.NoError(b, err)
		require.Len(b, r.AllPictures(), 20)
		require.NotEmpty(b, r.Comment(form))
	}
}

func TestFindingsThatSayTheSameAreOneRow(t *testing.T) {
	var list []finding.Finding
	for i := range 40 {
		list = append(list, finding.Finding{Rule: "check-metric", Severity: finding.Error, File: "d.json", Line: i + 1, Panel: "P", Message: "the exporter does not expose x"})
	}
	list = append(list, finding.Finding{Rule: "panel-title", Severity: finding.Warning, File: "d.json", Line: 1, Message: "a <b> | c"})
	table := findings("T", list, 10_000)
	require.Equal(t, 2, strings.Count(table, "\n| 🔴 ")+strings.Count(table, "\n| 🟡 "))
	require.Contains(t, table, "| 🔴 | `d.json:1` P and 39 other places | the exporter does not expose x | check-metric |")
	require.Contains(t, table, `a &lt;b&gt; \| c`)
	short := findings("T", list, 260)
	require.LessOrEqual(t, len(short), 260)
	require.Contains(t, short, "… and 1 more finding.")
}

// A Prometheus that can't be asked costs what it is asked for, not the review, and is said.
func TestAPrometheusThatIsAwayCostsOnlyItsPart(t *testing.T) {
	changed(t, 1, 2)
	require.NoError(t, os.Mkdir("alerts", 0o755))
	require.NoError(t, os.WriteFile("alerts/a.yaml", []byte("groups: [{name: g, rules: [{alert: A, expr: up == 0}]}]\n"), 0o644))
	o := options(forge.Form{})
	o.Prometheus, o.Since, o.HTTP = "http://127.0.0.1:1", time.Hour, http.DefaultClient
	o.Metrics = []string{"metrics.txt"}
	require.NoError(t, os.WriteFile("metrics.txt", []byte("# TYPE up gauge\nup 1\n"), 0o644))
	r, err := Make(t.Context(), o)
	require.NoError(t, err)
	require.Len(t, r.AllPictures(), 1)
	require.Len(t, r.Problems, 2)
	body := r.Comment(forge.Form{Plain: true})
	require.Contains(t, body, "⚠️ the pictures have no curves")
	require.Contains(t, body, "⚠️ 1 alert could not be evaluated")
}

// A directory that was deleted as a whole is reviewed, too; one that never was is named.
func TestADeletedDirectoryIsReviewed(t *testing.T) {
	changed(t, 2, 1)
	require.NoError(t, os.RemoveAll("dashboards"))
	r, err := Make(t.Context(), options(forge.Form{}))
	require.NoError(t, err)
	require.Contains(t, r.Comment(forge.Form{}), "2 changes in 2 dashboards")
	o := options(forge.Form{})
	o.Paths = []string{"dashboards", "nowhere"}
	_, err = Make(t.Context(), o)
	require.ErrorContains(t, err, "nowhere: no such file or directory, neither here nor in")
}

// A dashboard that can't be read is a finding, is named as not compared, and keeps nothing else from being reviewed.
func TestABrokenFileIsNamedInTheComment(t *testing.T) {
	changed(t, 3, 1)
	require.NoError(t, os.WriteFile("dashboards/d01.json", []byte(`{"title": `), 0o644))
	r, err := Make(t.Context(), options(forge.Form{}))
	require.NoError(t, err)
	require.True(t, r.Findings())
	body := r.Comment(forge.Form{})
	require.Contains(t, body, "⚠️ not compared: dashboards/d01.json")
	require.Contains(t, body, "json-syntax")
	require.Contains(t, body, "pictures/dashboards-d00")
}
