package source_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lookout/internal/source"
)

// tree makes a repository with these files and works in it.
func tree(t *testing.T, files ...string) {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	for _, f := range append(files, ".git/HEAD") {
		if err := os.MkdirAll(filepath.Dir(f), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f, []byte(f), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestList(t *testing.T) {
	tree(t, "dashboards/go/b.json", "dashboards/a.JSON", "dashboards/notes.md", "dashboards/.hidden/x.json", "dashboards/node_modules/y.json", "other/c.json", "other/d.yaml", "dashboards.json")
	if err := os.Symlink("../other", "dashboards/link"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("gone.json", "other/broken.json"); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		paths []string
		want  string // names; ! must be readable, * was named
		err   string
	}{
		"a directory":               {[]string{"dashboards"}, "dashboards/a.JSON! dashboards/go/b.json!", ""},
		"one elsewhere":             {[]string{"other"}, "other/c.json", ""},
		"a file of any name":        {[]string{"other/d.yaml"}, "other/d.yaml!*", ""},
		"none twice":                {[]string{"dashboards/go/b.json", "./dashboards/go", "dashboards"}, "dashboards/go/b.json!* dashboards/a.JSON!", ""},
		"a hidden one that's named": {[]string{"dashboards/.hidden"}, "dashboards/.hidden/x.json!", ""},
		"standard input, once":      {[]string{"-", "-"}, "<stdin>!*", ""},
		"a name that begins alike":  {[]string{"."}, "dashboards/a.JSON! dashboards/go/b.json! dashboards.json other/c.json", ""},
		"one that does not exist":   {[]string{"other", "none"}, "", "none: no such file or directory"},
	} {
		files, err := source.Lister{Ext: []string{".json"}, Stdin: strings.NewReader("{}")}.List(test.paths)
		if test.err != "" {
			if err == nil || err.Error() != test.err {
				t.Errorf("%s: %v, want %s", name, err, test.err)
			}
			continue
		}
		var got []string
		for _, f := range files {
			text := f.Name
			if f.Must {
				text += "!"
			}
			if f.Named {
				text += "*"
			}
			got = append(got, text)
			data, err := f.Read(make([]byte, 0, 2))
			if want := map[bool]string{true: "{}", false: f.Name}[f.Name == source.StdinName]; err != nil || string(data) != want {
				t.Errorf("%s: %s holds %q (%v)", name, f.Name, data, err)
			}
		}
		if text := strings.Join(got, " "); err != nil || text != test.want {
			t.Errorf("%s: %s (%v), want %s", name, text, err, test.want)
		}
	}
	files, err := source.Lister{}.List([]string{"-"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := files[0].Read(nil); err == nil || err.Error() != "standard input is closed" {
		t.Errorf("no standard input: %v", err)
	}
}

func TestWhatIsTooLarge(t *testing.T) {
	big := filepath.Join(t.TempDir(), "big.json")
	f, err := os.Create(big)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(source.MaxSize + 1); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if _, err := source.ReadFile(big, nil); err == nil || !strings.Contains(err.Error(), "big.json is larger than 32 MiB") {
		t.Errorf("%v", err)
	}
	if _, err := source.ReadFile(big+"x", nil); !os.IsNotExist(err) {
		t.Errorf("%v", err)
	}
}

func TestJSON(t *testing.T) {
	for _, test := range []struct {
		name, data string
		want       bool
	}{
		{"a.json", "", true}, {"a.JSON", "x: 1", true}, {"a.yaml", "{}", false}, {"json", "{}", true}, {"notes.txt", "# x", false}, {source.StdinName, " \n{}", true}, {source.StdinName, "\ufeff[]", true},
		{source.StdinName, "a: 1", false}, {source.StdinName, "", false},
	} {
		if got := source.JSON(test.name, []byte(test.data)); got != test.want {
			t.Errorf("%s with %q: %t", test.name, test.data, got)
		}
	}
}

func TestTop(t *testing.T) {
	tree(t, "a/b/c.json", "inner/d.json")
	if err := os.MkdirAll("inner/.git", 0o755); err != nil {
		t.Fatal(err)
	}
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"a/b/c.json": wd, ".": wd, "a/none": wd, "inner/d.json": filepath.Join(wd, "inner")} {
		if got := source.Top(path); got != want {
			t.Errorf("%s lies in %s, want %s", path, got, want)
		}
	}
}
