package console

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const smallBoard = `{"uid":"small","title":"Small","schemaVersion":39,"panels":[{"id":1,"type":"text","title":"A","gridPos":{"w":12,"h":8,"x":0,"y":0},"options":{"content":"a"}}]}`

// What is shown of a file after each thing that can happen to it; each step is looked at once.
func TestWhatIsShownOfAFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "small.json")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(smallBoard)
	s, err := newStore([]string{dir}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	second := strings.Replace(smallBoard, "Small", "Second", 1)
	for _, step := range []struct {
		name    string
		do      func()
		title   string // "" means that there is no dashboard
		broken  bool
		waits   bool
		changed int
	}{
		{"as it was", func() {}, "Small", false, false, 0},
		{"written anew with the same content", func() { write(smallBoard) }, "Small", false, false, 0},
		{"changed", func() { write(second) }, "Second", false, false, 1},
		{"emptied", func() { write("") }, "Second", true, false, 1},
		{"half of it", func() { write(smallBoard[:60]) }, "Second", true, false, 1},
		{"whole", func() { write(smallBoard) }, "Small", false, false, 1},
		{"removed", func() { _ = os.Remove(file) }, "Small", false, true, 0},
		{"still missing", func() {}, "Small", false, true, 0},
		{"there again", func() { write(second) }, "Second", false, false, 1},
		{"removed once more", func() { _ = os.Remove(file) }, "Second", false, true, 0},
		{"missing for longer than an editor takes", func() { s.byFile[file].gone = time.Now().Add(-2 * vanish) }, "", false, false, 1},
		{"new", func() { write(smallBoard) }, "Small", false, false, 1},
	} {
		step.do()
		if step.title != "" && s.byFile[file] != nil {
			s.byFile[file].modified = time.Time{} // files of the same size within a tick of the clock
		}
		changed, err := s.scan()
		if err != nil {
			t.Fatal(err)
		}
		if len(changed) != step.changed || s.waits() != step.waits {
			t.Errorf("%s: changed %q, waits %t", step.name, changed, s.waits())
		}
		d, known, err := s.load("small")
		if step.title == "" {
			if !errors.Is(err, errNoBoard) || s.has("small") || s.len() != 0 {
				t.Errorf("%s: %v, %v", step.name, known.Title, err)
			}
			continue
		}
		if err != nil || d == nil || d.Title != step.title || (known.Err != nil) != step.broken || (s.broken() == 1) != step.broken {
			t.Errorf("%s: shows %+v (%v), broken: %v", step.name, d, err, known.Err)
		}
		if again, _, err := s.load("small"); err != nil || again != d {
			t.Errorf("%s: read again for the second reader (%v)", step.name, err)
		}
	}
}
