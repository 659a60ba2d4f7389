package diff

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"lookout/internal/dashboard"
	"lookout/internal/dashboard/dashtest"
)

// rawPanel is a panel as encoding/json reads it: what follows shares nothing with the code that it checks.
type rawPanel struct {
	// at is its JSON pointer.
	at, title, kind string
	// content is all of it but its id, its place and the panels of a row, as JSON with sorted keys.
	content string
}

// rawPanels reads the panels of a classic dashboard, those of collapsed rows too, or the elements of a V2 one.
func rawPanels(t *testing.T, data []byte) []rawPanel {
	t.Helper()
	var root map[string]any
	if err := json.Unmarshal(data, &root); err != nil {
		t.Fatal(err)
	}
	var out []rawPanel
	text := func(v any) string { s, _ := v.(string); return s }
	add := func(at string, panel map[string]any, spec map[string]any) {
		kept := map[string]any{}
		for k, v := range spec {
			switch k {
			case "id", "gridPos", "panels":
			default:
				kept[k] = v
			}
		}
		content, err := json.Marshal(kept)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, rawPanel{at: at, title: text(spec["title"]), kind: text(panel["type"]), content: string(content)})
	}
	var list func(at string, v any)
	list = func(at string, v any) {
		items, _ := v.([]any)
		for i, item := range items {
			if p, ok := item.(map[string]any); ok {
				here := at + "/" + strconv.Itoa(i)
				add(here, p, p)
				list(here+"/panels", p["panels"])
			}
		}
	}
	list("/panels", root["panels"])
	rows, _ := root["rows"].([]any)
	for i, row := range rows {
		if r, ok := row.(map[string]any); ok {
			list("/rows/"+strconv.Itoa(i)+"/panels", r["panels"])
		}
	}
	prefix, spec := "", root
	if s, ok := root["spec"].(map[string]any); ok {
		prefix, spec = "/spec", s
		list("/spec/panels", s["panels"])
	}
	elements, _ := spec["elements"].(map[string]any)
	for name, e := range elements {
		if p, ok := e.(map[string]any); ok {
			if s, ok := p["spec"].(map[string]any); ok {
				add(prefix+"/elements/"+strings.NewReplacer("~", "~0", "/", "~1").Replace(name), p, s)
			}
		}
	}
	return out
}

// differing drops the panels that both sides have as they are, however often.
func differing(before, after []rawPanel) (o, n []rawPanel) {
	left := map[string]int{}
	for _, p := range before {
		left[p.content]++
	}
	for _, p := range after {
		if left[p.content] > 0 {
			left[p.content]--
			continue
		}
		n = append(n, p)
	}
	for _, p := range after {
		left[p.content] = 0
	}
	count := map[string]int{}
	for _, p := range after {
		count[p.content]++
	}
	for _, p := range before {
		if count[p.content] > 0 {
			count[p.content]--
			continue
		}
		o = append(o, p)
	}
	return o, n
}

var countOfPanels = regexp.MustCompile(`(\d+) panels?\b`)

// unnamed says what is wrong with the text of a diff: panels that differ and are neither named nor counted.
func unnamed(t *testing.T, before, after []byte) (wrong []string, changed int) {
	t.Helper()
	o, err := dashboard.Load("d.json", before)
	if err != nil {
		t.Fatal(err)
	}
	n, err := dashboard.Load("d.json", after)
	if err != nil {
		t.Fatal(err)
	}
	result := New().Dashboards(o, n)
	for i := range result.Events {
		result.Events[i].File = "d.json"
	}
	report := Report{Result: result, Dashboards: 1}
	var buf bytes.Buffer
	if err := report.Text(&buf, false, false); err != nil {
		t.Fatal(err)
	}
	text := buf.String()
	oldRaw, newRaw := rawPanels(t, before), rawPanels(t, after)
	// under are the panels that a place is about: the innermost one around it, or all inside of it if it came or went as a whole.
	under := func(panels []rawPanel, pointer string, whole bool) []*rawPanel {
		pointer = strings.TrimSuffix(pointer, "/panels") + map[bool]string{true: "/panels"}[strings.HasSuffix(pointer, "/panels") && whole]
		var best *rawPanel
		var inside []*rawPanel
		for i := range panels {
			p := &panels[i]
			if (pointer == p.at || strings.HasPrefix(pointer, p.at+"/")) && (best == nil || len(p.at) > len(best.at)) {
				best = p
			}
			if whole && strings.HasPrefix(p.at, pointer+"/") {
				inside = append(inside, p)
			}
		}
		if best != nil {
			inside = append(inside, best)
		}
		return inside
	}
	// What each change is about, by the places in the files.
	toldNew, toldOld := map[string]bool{}, map[string]bool{}
	touch := func(ch Change) (o, n []*rawPanel) {
		if ch.Order != nil && strings.HasSuffix(ch.Path, "/panels") {
			return nil, nil // the order of panels; one that came or went is a change of its own
		}
		here, there := first(ch.source, ch.Path), first(ch.oldSource, ch.OldPath)
		if ch.source == "" && strings.Contains(ch.oldSource, "/elements/") {
			here = ch.oldSource // what is gone has a place in the old file only, and elements keep their names
		}
		if here != "" {
			n = under(newRaw, here, ch.Before == nil)
		}
		if ch.OldPath != "" {
			o = under(oldRaw, there, ch.After == nil)
		}
		for _, p := range n {
			toldNew[p.at] = true
		}
		for _, p := range o {
			toldOld[p.at] = true
		}
		return o, n
	}
	became := map[string]*rawPanel{} // of a panel in the old file, what it is in the new one
	for _, ch := range result.Changes() {
		if o, n := touch(ch); len(o) == 1 && len(n) == 1 {
			became[o[0].at] = n[0]
		}
	}
	for _, e := range result.Events {
		panels := map[string][]string{} // pointer → the titles it may be called by
		for _, ch := range e.Changes {
			o, n := touch(ch)
			for _, p := range n {
				panels[p.at] = append(panels[p.at], p.title, p.kind)
				if len(n) == 1 && len(o) == 1 {
					panels[p.at] = append(panels[p.at], o[0].title)
				}
			}
			if len(n) == 0 {
				for _, p := range o {
					if now := became[p.at]; now != nil {
						panels[now.at] = append(panels[now.at], now.title, p.title, p.kind)
						continue
					}
					panels["-"+p.at] = []string{p.title, p.kind}
				}
			}
		}
		if len(panels) == 0 {
			continue
		}
		if !strings.Contains(text, firstLine(e.Text)) {
			wrong = append(wrong, fmt.Sprintf("an event is not in the text: %s", e.Text))
			continue
		}
		named, counted := 0, 0
		for _, titles := range panels {
			if slices.ContainsFunc(titles, func(s string) bool { return s != "" && strings.Contains(e.Text, clipped(s)) }) {
				named++
			}
		}
		for _, m := range countOfPanels.FindAllStringSubmatch(e.Text, -1) {
			k, _ := strconv.Atoi(m[1])
			counted += k
		}
		// A row is named next to its panels, which are counted.
		if named < len(panels) && counted < len(panels) && counted+1 < len(panels) {
			wrong = append(wrong, fmt.Sprintf("an event is about %d panels, names %d and counts %d: %.300s (%v)", len(panels), named, counted, e.Text, panels))
		}
	}
	gone, here := differing(oldRaw, newRaw)
	for _, p := range here {
		if !toldNew[p.at] {
			wrong = append(wrong, fmt.Sprintf("panel %q at %s differs, and nothing says so", p.title, p.at))
		}
	}
	for _, p := range gone {
		if !toldOld[p.at] {
			wrong = append(wrong, fmt.Sprintf("panel %q, once at %s, differs, and nothing says so", p.title, p.at))
		}
	}
	return wrong, len(here) + len(gone)
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func firstLine(s string) string { s, _, _ = strings.Cut(s, "\n"); return s }

// clipped is the part of a title that surely stands in a text which clips long ones.
func clipped(s string) string {
	if r := []rune(s); len(r) > 20 {
		return string(r[:20])
	}
	return s
}

// TestEveryChangedPanelIsNamedOrCounted compares files as encoding/json reads them, and wants each panel that differs in the text of the diff: by its name or in a number of panels.
//
//	LOOKOUT_PUBLIC=dir go test ./internal/diff -run TestEveryChangedPanelIsNamedOrCounted -v
//
// takes the successive versions of the collection that `make bench-public` fetches; without it pairs are generated.
func TestEveryChangedPanelIsNamedOrCounted(t *testing.T) {
	var edits []realEdit
	if dir := os.Getenv("LOOKOUT_PUBLIC"); dir != "" {
		edits = publicPairs(t, dir)
		if len(edits) == 0 {
			t.Fatalf("%s has no two versions of a dashboard", dir)
		}
	} else {
		edits = generatedPairs(t)
	}
	pairs, changed, bad := 0, 0, 0
	for _, e := range edits {
		if _, err := dashboard.Load("d.json", e.before); err != nil {
			continue
		}
		if _, err := dashboard.Load("d.json", e.after); err != nil {
			continue
		}
		wrong, n := unnamed(t, e.before, e.after)
		pairs++
		changed += n
		if len(wrong) > 0 {
			bad++
			t.Errorf("%s:\n%s", e.name, strings.Join(wrong, "\n"))
		}
	}
	t.Logf("%d pairs, %d panels that differ; %d pairs in which one is neither named nor counted", pairs, changed, bad)
}

// publicPairs are the successive versions of each file of a project (dir/<module>@<version>/<file>), the variants of a dashboard in one version (files of one name), and each pair backwards and in V2.
func publicPairs(t *testing.T, dir string) (out []realEdit) {
	parents := map[string]bool{}
	err := filepath.WalkDir(dir, func(p string, e os.DirEntry, err error) error {
		if err != nil || !e.IsDir() || !strings.Contains(e.Name(), "@") {
			return err
		}
		parents[filepath.Dir(p)] = true
		found, err := dashboard.Find([]string{p})
		if err != nil {
			return err
		}
		named := map[string][]byte{}
		for _, file := range found.Files {
			data, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			name := filepath.Base(file)
			if was := named[name]; was != nil && !bytes.Equal(was, data) {
				out = append(out, realEdit{e.Name() + " variants of " + name, was, data})
			}
			named[name] = data
		}
		return filepath.SkipDir
	})
	if err != nil {
		t.Fatal(err)
	}
	for p := range parents {
		out = append(out, versions(t, p)...)
	}
	for _, e := range out {
		out = append(out, realEdit{e.name + ", backwards", e.after, e.before})
		if before, after := inV2(e.before), inV2(e.after); before != nil && after != nil {
			out = append(out, realEdit{e.name + ", in V2", before, after})
		}
	}
	slices.SortFunc(out, func(a, b realEdit) int { return strings.Compare(a.name, b.name) })
	return out
}

// generatedPairs are dashboards of which many panels change at once, classic and in V2: titles that repeat, panels that go, come and move.
func generatedPairs(t *testing.T) (out []realEdit) {
	r := rand.New(rand.NewPCG(20261126, 5))
	for i := range 25 {
		before := dashtest.Dashboard(r, i, 4+r.IntN(20), dashtest.Metrics(5, 12))
		var root map[string]any
		if err := json.Unmarshal(before.JSON(), &root); err != nil {
			t.Fatal(err)
		}
		panels := root["panels"].([]any)
		for k := range panels {
			p := panels[k].(map[string]any)
			switch r.IntN(8) {
			case 0:
				p["title"] = "Same title"
			case 1:
				p["description"] = fmt.Sprint("Changed ", r.IntN(3))
			case 2:
				if targets, ok := p["targets"].([]any); ok && len(targets) > 0 {
					targets[0].(map[string]any)["expr"] = fmt.Sprintf("sum by (job) (rate(x%d_total[5m]))", r.IntN(4))
				}
			case 3:
				p["fieldConfig"] = map[string]any{"defaults": map[string]any{"unit": []string{"s", "bytes", "short"}[r.IntN(3)]}}
			case 4:
				p["datasource"] = map[string]any{"type": "prometheus", "uid": "other"}
			}
		}
		switch r.IntN(3) {
		case 0:
			panels = slices.Delete(panels, 0, min(len(panels), 1+r.IntN(3)))
		case 1:
			panels = append(panels, map[string]any{"type": "stat", "title": "New", "gridPos": map[string]any{"x": 0, "y": 900, "w": 6, "h": 4}, "targets": []any{map[string]any{"refId": "A", "expr": "up"}}})
		}
		root["panels"] = panels
		after, err := json.Marshal(root)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, realEdit{fmt.Sprint("generated ", i), before.JSON(), after})
		out = append(out, realEdit{fmt.Sprint("generated V2 ", i), inV2(before.JSON()), inV2(after)})
	}
	return out
}

// inV2 is a classic dashboard in the other schema, nil if it can't be read.
func inV2(data []byte) []byte {
	d, err := dashboard.Load("d.json", data)
	if err != nil {
		return nil
	}
	v2, _ := d.ToV2()
	return v2.JSON()
}
