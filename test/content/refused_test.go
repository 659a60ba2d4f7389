package content

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const v2Dashboard = `{"apiVersion": "dashboard.grafana.app/v2", "kind": "Dashboard", "metadata": {"name": "tabs"},
  "spec": {"title": "Tabs", "elements": {}, "layout": {"kind": "TabsLayout", "spec": {"tabs": []}}}}`

var wrapped = regexp.MustCompile(`[\s│]+`)

// without plans with a file that is wrong, which has to be refused in these words, with nothing asked of Grafana that changes
// it, and without a plan that reads as if everything were to be destroyed.
func (w *world) without(file, text, words string) {
	w.t.Helper()
	path := filepath.Join(w.tree, file)
	before, err := os.ReadFile(path)
	existed := err == nil
	w.write(file, text)
	defer func() {
		if existed {
			w.write(file, string(before))
			return
		}
		w.remove(file)
		// The folder of a file that was alone in it would be one more.
		_ = os.Remove(filepath.Dir(path))
	}()
	w.plansNothing(file, w.refuses(file, words))
}

func (w *world) plansNothing(file, said string) {
	w.t.Helper()
	for _, plan := range []string{"will be destroyed", "will be created", "will be updated", "must be replaced", "to destroy"} {
		if strings.Contains(said, plan) {
			w.t.Errorf("%s: a plan is shown with the refusal:\n%s", file, said)
			break
		}
	}
}

// refuses plans, and returns what Terraform says without its line breaks.
func (w *world) refuses(what, words string, args ...string) string {
	w.t.Helper()
	w.written()
	out, code := w.terraform(append([]string{"plan", "-input=false", "-refresh=false"}, args...)...)
	said := wrapped.ReplaceAllString(out, " ")
	if code == 0 || !strings.Contains(said, words) {
		w.t.Errorf("%s: exit code %d, wanted a refusal with %q:\n%s", what, code, words, out)
	}
	if written := w.written(); len(written) > 0 {
		w.t.Errorf("%s: a plan changed Grafana: %v", what, written)
	}
	return said
}

// wrongFiles are the first and the last of a kind: with them the plan of an empty Grafana is empty, too.
func (w *world) wrongFiles() {
	all := wrongFiles()
	for _, c := range []wrongFile{all[0], all[len(all)-1]} {
		w.without(c.file, c.text, c.words)
	}
}

type wrongFile struct{ file, text, words string }

func wrongFiles() []wrongFile {
	dash := func(uid, rest string) string { return `{"uid": "` + uid + `", ` + rest + `, "panels": []}` }
	return []wrongFile{
		{"dashboards/go/padded.json", dash("padded", `"title": " Padded"`), `has blanks around its title " Padded", which Grafana cuts off: write "Padded"`},
		{"dashboards/go/fast.json", dash("fast", `"title": "Fast", "refresh": "1s"`), "refreshes every 1s, which Grafana raises to 5s"},
		{"dashboards/alerts/about.json", dash("about", `"title": "Some"`), "have the same uid lookout-alerts: rename the directory"},
		{"dashboards/general/any.json", dash("any", `"title": "Some"`), `"General" is the name of Grafana's own folder`},
		{"dashboards/GO/other.json", dash("other", `"title": "Some"`), "have the same title, which Grafana refuses"},
		{"dashboards/go/some.json", dash("some", `"title": "delivery"`), `has the title "delivery" of the folder dashboards/delivery, which Grafana refuses`},
		{"dashboards/go/lookout-go.json", dash("lookout-go", `"title": "Some"`), "has the uid of the folder dashboards/go, which Grafana refuses"},
		{"dashboards/go/nul.json", dash("nul", `"title": "Nul", "description": "a\u0000b"`), "has the character U+0000 in a text, which Grafana refuses"},
		{"dashboards/go/broken.json", `{"uid": "broken",`, "dashboards/go/broken.json is not a JSON object"},
		{"alerts/odd-1.yaml", oddRule("Odd", "1y"), "for is \"1y\""},
		{"alerts/odd-2.yaml", oddRule("Odder", "365d"), "for is \"365d\""},
		{"alerts/odd-3.yaml", oddRule("Oddest", "1500ms"), "for is \"1500ms\""},
		{"alerts/odd-4.yaml", oddRule(strings.Repeat("x", 191), "5m"), "write a name of letters, digits and _, up to 190"},
		{"alerts/odd-5.yaml", oddRule("TargetDown", "5m"), "the alert \"TargetDown\" is used 2 times"},
	}
}

func (w *world) refused() {
	// All of them stand in one message, for the dashboards and for the rules; the modules' own tests have each alone.
	for _, folder := range []string{"dashboards/", "alerts/"} {
		w.t.Run(strings.Trim(folder, "/"), func(t *testing.T) {
			outer := w.t
			w.t = t
			defer func() { w.t = outer }()
			var said string
			files := wrongFiles()
			for i, c := range files {
				if strings.HasPrefix(c.file, folder) {
					w.write(c.file, c.text)
					defer w.remove(c.file)
				}
				if i == len(files)-1 {
					said = w.refuses("all wrong "+folder, "can't be applied as they are")
				}
			}
			for _, c := range files {
				if strings.HasPrefix(c.file, folder) && !strings.Contains(said, c.words) {
					t.Errorf("%s: it is not said that it %q:\n%s", c.file, c.words, said)
				}
			}
			w.plansNothing(folder, said)
		})
	}
	if w.takesUIDs() {
		return
	}
	w.without("dashboards/go/tabs.json", v2Dashboard, "is saved as schema V2, which Grafana reads from version 13 on")
	for _, c := range [][3]string{
		{"timing", `{"group_wait":"1500ms"}`, `group_wait is "1500ms"; give durations in whole seconds above zero`},
		{"timing", `{"group_interval":"0s"}`, `group_interval is "0s"`},
		{"heartbeat_interval", "365d", `heartbeat.interval is "365d"`},
		{"delivery", "pigeon", `delivery is "pigeon"`},
		{"grafana_version", "latest", `grafana_version is "latest"`},
	} {
		w.refuses(c[0]+" = "+c[1], c[2], "-var="+c[0]+"="+c[1])
	}
}
