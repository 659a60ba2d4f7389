package dashgen

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	size, err := Write(dir, Options{Folders: 3, Dashboards: 7, Panels: 20})
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.json"))
	if err != nil || len(files) != 7 {
		t.Fatalf("found %d files, %v", len(files), err)
	}
	var sum int64
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sum += int64(len(data))
		var dashboard struct{ UID string }
		if err := json.Unmarshal(data, &dashboard); err != nil {
			t.Fatal(err)
		}
		if dashboard.UID+".json" != filepath.Base(file) {
			t.Errorf("%s has the uid %s", file, dashboard.UID)
		}
	}
	if sum != size {
		t.Errorf("says %d bytes, wrote %d", size, sum)
	}
	// The size that the measurements are told for.
	if each := size / 7; each < 15_000 || each > 30_000 {
		t.Errorf("a dashboard of 20 panels has %d bytes", each)
	}
}

func TestWriteRefusesWhatMakesNoSense(t *testing.T) {
	for _, options := range []Options{{Dashboards: 1, Panels: 1}, {Folders: 2, Dashboards: 1, Panels: 1}, {Folders: 1, Dashboards: 1}} {
		if _, err := Write(t.TempDir(), options); err == nil {
			t.Errorf("%+v was accepted", options)
		}
	}
}
