package licences

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const mit = `Copyright (c) 2026 Someone

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation
files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy,
modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the
Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE,
ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
`

// gnu is how a program is put under one of the GNU licences.
func gnu(name, version string) string {
	return `This program is free software: you can redistribute it and/or modify it under the terms of the GNU ` + name +
		` General Public License as published by the Free Software Foundation, either version ` + version + ` of the License, or (at your option) any later version.

This program is distributed in the hope that it will be useful, but WITHOUT ANY WARRANTY; without even the implied warranty of
MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE. See the GNU ` + name + ` General Public License for more details.

You should have received a copy of the GNU ` + name + ` General Public License along with this program. If not, see
<https://www.gnu.org/licenses/>.
`
}

// linkedFrom writes a program that is linked from one module with the given files, and lists what it is linked from.
func linkedFrom(t *testing.T, files map[string]string) []Module {
	t.Helper()
	dir := t.TempDir()
	files["go.mod"] = "module example.com/dep\n\ngo 1.24\n"
	if files["dep.go"] == "" {
		files["dep.go"] = "package dep\n"
	}
	for name, text := range files {
		path := filepath.Join(dir, "dep", name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	for name, text := range map[string]string{
		"go.mod":  "module example.com/main\n\ngo 1.24\n\nrequire example.com/dep v1.2.3\n\nreplace example.com/dep => ./dep\n",
		"main.go": "package main\n\nimport (\n\t_ \"example.com/dep\"\n\t_ \"example.com/dep/sub\"\n)\n\nfunc main() {}\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	sub := filepath.Join(dir, "dep", "sub")
	require.NoError(t, os.MkdirAll(sub, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(sub, "sub.go"), []byte("package sub\n"), 0o600))
	modules, err := Linked(t.Context(), dir, append(os.Environ(), "GOFLAGS=", "GOWORK=off"), "", false, "example.com/main")
	require.NoError(t, err)
	require.Len(t, modules, 1)
	require.Equal(t, "example.com/dep v1.2.3", modules[0].String())
	require.Len(t, modules[0].Packages, 2)
	return modules
}

func TestWhatMayBeLinked(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"MIT":                                {"LICENSE": mit},
		"a folder below has its own":         {"LICENSE": mit, "sub/LICENSE.txt": mit},
		"a choice, stated by each Go file":   {"LICENSE": mit, "dep.go": "// SPDX-License-Identifier: MIT OR GPL-3.0-only\npackage dep\n"},
		"the licence of its documentation":   {"LICENSE": mit, "LICENSE.docs": gnu("Affero", "3")},
		"what is not linked has another one": {"LICENSE": mit, "tools/LICENSE": gnu("Affero", "3")},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := Check(linkedFrom(t, files))
			require.NoError(t, err)
			require.Equal(t, []string{"MIT"}, found[0].Licences())
		})
	}
}

func TestWhatMayNotBeLinkedIsNamedWithItsFile(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		wrong string
	}{
		"AGPL": {map[string]string{"LICENSE": gnu("Affero", "3")}, "AGPL-3.0-or-later in LICENSE is not a licence that Lookout links"},
		"LGPL": {map[string]string{"COPYING": gnu("Lesser", "3")}, "LGPL-3.0-or-later in COPYING is not a licence that Lookout links"},
		"GPL":  {map[string]string{"LICENSE": strings.ReplaceAll(gnu("", "3"), "GNU  ", "GNU ")}, "GPL-3.0-or-later in LICENSE"},
		"SSPL, by its identifier": {map[string]string{"LICENSE": mit, "dep.go": "// SPDX-License-Identifier: SSPL-1.0\npackage dep\n"},
			"dep.go states SPDX-License-Identifier: SSPL-1.0"},
		"two licences in one file, one of them AGPL": {map[string]string{"LICENSE": mit + "\n\n" + gnu("Affero", "3")}, "AGPL-3.0-or-later in LICENSE"},
		"two files":                   {map[string]string{"LICENSE": mit, "LICENSE-AGPL": gnu("Affero", "3")}, "AGPL-3.0-or-later in LICENSE-AGPL"},
		"AGPL for a folder":           {map[string]string{"LICENSE": mit, "sub/LICENSE": gnu("Affero", "3")}, "AGPL-3.0-or-later in sub/LICENSE"},
		"AGPL in a notice":            {map[string]string{"LICENSE": mit, "NOTICE": gnu("Affero", "3")}, "AGPL-3.0-or-later in NOTICE"},
		"an unknown text":             {map[string]string{"LICENSE": "You may use this on Tuesdays, and only for good.\n"}, "unknown licence: 0 % of LICENSE is the text of a known one"},
		"a known text with much more": {map[string]string{"LICENSE": mit + strings.Repeat("You may use this on Tuesdays only. ", 40)}, "unknown licence: "},
		"no licence":                  {map[string]string{"README.md": "Free!\n"}, "no licence: neither example.com/dep nor a folder above it holds a licence file"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Check(linkedFrom(t, c.files))
			require.ErrorContains(t, err, "example.com/dep v1.2.3: ")
			require.ErrorContains(t, err, c.wrong)
		})
	}
}

func TestARulingHoldsForItsBytesOnly(t *testing.T) {
	const text = "You may use this on Tuesdays, and only for good.\n"
	before := Rulings
	t.Cleanup(func() { Rulings = before })
	Rulings = append(Rulings, Ruling{Module: "example.com/dep", File: "LICENSE", SHA256: checksum([]byte(text)), Licence: "Tuesday", Quote: "more/tuesday.txt"})
	found, err := Check(linkedFrom(t, map[string]string{"LICENSE": text, "more/tuesday.txt": "The whole of it."}))
	require.NoError(t, err)
	require.Equal(t, []string{"Tuesday"}, found[0].Licences())
	require.Contains(t, Notices("x", found, t.TempDir()), "The whole of it.")
	_, err = Check(linkedFrom(t, map[string]string{"LICENSE": text + "Or on Mondays.\n"}))
	require.ErrorContains(t, err, "unknown licence")
}

func TestNoticesQuoteEachTextOnce(t *testing.T) {
	modules := linkedFrom(t, map[string]string{"LICENSE": mit, "sub/LICENSE": mit, "NOTICE": "Thanks to all.\n"})
	found, err := Check(modules)
	require.NoError(t, err)
	goroot := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(goroot, "LICENSE"), []byte("Go's own words"), 0o600))
	notices := Notices("demo", found, goroot)
	require.Contains(t, notices, "example.com/dep v1.2.3: MIT\n")
	require.Contains(t, notices, "Thanks to all.")
	require.Contains(t, notices, "Go's own words")
	require.Equal(t, 1, strings.Count(notices, "Permission is hereby granted"))
	require.Contains(t, notices, "example.com/dep v1.2.3, LICENSE\nexample.com/dep v1.2.3, sub/LICENSE\n")
}

// Grafana's server is AGPL-3.0, and so is everything below its module's path. grafana/grafana-… are other modules.
func TestNoModuleNamesGrafanasServer(t *testing.T) {
	out, err := exec.Command("git", "-C", "../..", "ls-files", "--cached", "--others", "--exclude-standard", "--", "go.mod", "go.sum", "*/go.mod", "*/go.sum").Output()
	require.NoError(t, err)
	files := strings.Fields(string(out))
	require.Greater(t, len(files), 8)
	server := regexp.MustCompile(`github\.com/grafana/(grafana|loki|tempo|mimir)[/ @]`)
	for _, name := range files {
		data, err := os.ReadFile(filepath.Join("../..", name))
		if os.IsNotExist(err) {
			continue
		}
		require.NoError(t, err)
		require.Empty(t, server.FindAllString(string(data), -1), name)
	}
}
