package dashboard

import (
	"errors"
	"math/rand/v2"
	"os"
	"testing"
)

// check reads a file and does with it what commands do: no text may make any of it panic, and what is not a dashboard is an error with a place.
func check(t *testing.T, data []byte) {
	t.Helper()
	d, err := Load("f.json", data)
	if err != nil {
		pos, msg, ok := Problem(err)
		if !ok || pos.Line < 1 || pos.Column < 1 || msg == "" {
			t.Fatalf("an error without a place: %v\n%s", err, data)
		}
		return
	}
	for q := range d.Queries() {
		q.Pos(0)
	}
	again, err := Load("f.json", d.Canonical())
	if err != nil || again.Form != d.Form {
		t.Fatalf("fmt makes another form of it: %v\n%s", err, data)
	}
	v2, _ := d.ToV2()
	if _, err := Load("f.json", v2.JSON()); err != nil {
		t.Fatalf("its V2 form can't be read: %v\n%s\n%s", err, data, v2.JSON())
	}
	classic, _ := d.ToClassic()
	if _, err := Load("f.json", classic.JSON()); err != nil && !errors.Is(err, ErrNotDashboard) {
		t.Fatalf("its classic form can't be read: %v\n%s", err, data)
	}
	d.Root.Walk(func(n *Node) bool {
		d.SourcePointer(n)
		return true
	})
	d.Notation()
}

func FuzzForms(f *testing.F) {
	for _, file := range []string{"../diff/testdata/v2/tabs.json"} {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"title": "T", "rows": [{"panels": [{"type": "graph"}]}], "elements": {}, "layout": {"kind": "TabsLayout", "spec": {"tabs": [null, {}]}}}`))
	f.Add([]byte(`{"apiVersion": "dashboard.grafana.app/v1", "kind": "Dashboard", "spec": {"panels": [{"type": "row", "panels": [7]}]}}`))
	f.Fuzz(check)
}

// A thousand damaged files: none crashes, and each either reads as a dashboard or is an error with a place.
func TestAThousandDamagedFiles(t *testing.T) {
	src, err := os.ReadFile("../diff/testdata/v2/tabs.json")
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	refused := 0
	for range 1000 {
		data := append([]byte(nil), src...)
		for range 1 + r.IntN(4) {
			i := r.IntN(len(data))
			switch r.IntN(4) {
			case 0:
				data[i] = byte(r.IntN(256))
			case 1:
				data = append(data[:i], data[i+r.IntN(len(data)-i):]...)
			case 2:
				data = append(data[:i:i], append([]byte(`{"kind": null, "spec": [`), data[i:]...)...)
			default:
				j := min(len(data), i+r.IntN(40))
				data = append(data[:j:j], data[i:]...)
			}
			if len(data) == 0 {
				break
			}
		}
		if _, err := Load("f.json", data); err != nil {
			refused++
		}
		check(t, data)
	}
	if refused < 500 {
		t.Errorf("only %d of 1000 were refused: the damage is too small to show anything", refused)
	}
}
