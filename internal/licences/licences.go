// Package licences finds out under which licences the modules are that programs are linked from, by the texts in their
// files, and writes the notices that copies of the programs must carry.
package licences

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// Allowed are the licences, by their SPDX identifiers, that programs of this project may be linked from: permissive
// ones, and the MPL-2.0, which asks for the source of its own files only. Not among them: AGPL, GPL and LGPL (a static
// program would have to come with what it takes to link it anew), SSPL, BUSL.
var Allowed = []string{
	"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-2-Clause-FreeBSD", "BSD-2-Clause-Views", "BSD-3-Clause", "BSL-1.0", "CC0-1.0",
	"FTL", "GooglePatentsFile", "ISC", "MIT", "MIT-0", "MIT-Modern-Variant", "MPL-2.0", "MPL-2.0-no-copyleft-exception", "NCSA", "OFL-1.1",
	"PostgreSQL", "Unicode-DFS-2016", "Unicode-3.0", "Unlicense", "WTFPL", "Zlib",
}

// A Ruling is about a file whose text does not speak for itself, or whose licence is allowed for this module alone. It
// holds for these very bytes only.
type Ruling struct {
	// Module and File name it; SHA256 is the file's checksum.
	Module, File, SHA256 string
	// Licence is what the module is used under.
	Licence string
	// Quote is a file of the module that holds the licence's text; empty if File does.
	Quote string
	// Why is the reason.
	Why string
}

// Rulings are all that were made.
var Rulings = []Ruling{
	{
		Module: "github.com/golang/freetype", File: "LICENSE",
		SHA256:  "d3ba056adc2b7909e95681deaae397fb37c97ed491a920f491214f07b62c41d0",
		Licence: "FTL", Quote: "licenses/ftl.txt",
		Why: "it leaves the choice between the FreeType License and the GPL",
	},
	{
		Module: "github.com/ajstarks/svgo", File: "LICENSE",
		SHA256: "ed4b89feec98e1fb387e439551a914672fb689c726d1e22e3500decc036a7cae", Licence: "CC-BY-4.0",
		Why: "it asks for attribution and nothing else, which the notices give; no other module has it",
	},
	{
		Module: "github.com/ajstarks/svgo", File: "LICENSE-link.txt",
		SHA256: "faef26bb83b741b22eed4593980048f1607bdc679232ca9635ccf505cf2abe77", Licence: "CC-BY-4.0",
		Why: "the address of the text in LICENSE",
	},
}

// recognised is how much of a licence file's text, in percent, has to be known.
const recognised = 75

// A Module is linked into a program.
type Module struct {
	Path, Version string
	// Dir is its folder in the module cache.
	Dir string
	// Packages are the folders of its packages that are linked, relative to Dir, with their Go files.
	Packages map[string][]string
}

func (m Module) String() string { return m.Path + " " + m.Version }

// Linked lists the modules that packages are linked from, but for the main module and those that main replaces by a
// folder below itself, sorted by path. With tests it includes those of the packages' tests.
func Linked(ctx context.Context, dir string, env []string, tags string, tests bool, packages ...string) ([]Module, error) {
	args := []string{"list", "-mod=readonly", "-tags=" + tags, "-deps", "-json=Dir,GoFiles,CgoFiles,Module,Standard"}
	if tests {
		args = append(args, "-test")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, packages...)...)
	cmd.Dir = dir
	cmd.Env = env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list of %s in %s: %w\n%s", strings.Join(packages, " "), dir, err, strings.TrimSpace(stderr.String()))
	}
	type module struct {
		Path, Version, Dir string
		Main               bool
		Replace            *module
	}
	modules := map[string]Module{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			Dir      string
			GoFiles  []string
			CgoFiles []string
			Module   *module
			Standard bool
		}
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("what go list prints: %w", err)
		}
		if p.Standard || p.Module == nil || p.Module.Main {
			continue
		}
		at := p.Module
		m, ok := modules[at.Path]
		if !ok {
			m = Module{Path: at.Path, Version: at.Version, Dir: at.Dir, Packages: map[string][]string{}}
			if at.Replace != nil && at.Replace.Version != "" {
				m.Path, m.Version = at.Replace.Path, at.Replace.Version
			}
		}
		rel, err := filepath.Rel(m.Dir, p.Dir)
		if err != nil || strings.HasPrefix(rel, "..") {
			// Files that go generates for tests have no folder of their own.
			continue
		}
		m.Packages[filepath.ToSlash(rel)] = append(m.Packages[filepath.ToSlash(rel)], append(p.GoFiles, p.CgoFiles...)...)
		modules[at.Path] = m
	}
	var all []Module
	for _, m := range modules {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b Module) int { return cmp.Compare(a.Path, b.Path) })
	return all, nil
}

// A File is a licence or notice in a module.
type File struct {
	// Name is relative to the module's folder.
	Name string
	// Licences are the SPDX identifiers of what its text was recognised as; none for a notice.
	Licences []string
	// Text is what notices quote.
	Text string
}

// Found is what was found out about a module.
type Found struct {
	Module Module
	Files  []File
	// Problems say why the module may not be linked; none if it may.
	Problems []string
}

// Licences are those of all of the module's files, sorted.
func (f Found) Licences() []string {
	var all []string
	for _, file := range f.Files {
		all = append(all, file.Licences...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Check looks for the licences of modules. The error names every module that may not be linked, with the file.
func Check(modules []Module) ([]Found, error) {
	var all []Found
	var wrong []error
	for _, m := range modules {
		found, err := Inspect(m)
		if err != nil {
			return nil, err
		}
		for _, problem := range found.Problems {
			wrong = append(wrong, fmt.Errorf("%s: %s", m, problem))
		}
		all = append(all, found)
	}
	return all, errors.Join(wrong...)
}

var (
	// licenceNames are the names of files that state a licence, noticeNames of those that must be passed on with one.
	licenceNames = regexp.MustCompile(`(?i)^(un)?licen[cs]e|^copying|^mit-license|licen[cs]e\.(txt|md)$`)
	noticeNames  = regexp.MustCompile(`(?i)^notice|^patents|^copyright|^authors$`)
	// others are programs about licences rather than texts of them, and the licences of documentation.
	others = regexp.MustCompile(`(?i)\.(go|s|c|h|py|sh|json|yaml|yml|html|js|ts|tmpl|csv|header|docs)$`)
	spdx   = regexp.MustCompile(`SPDX-License-Identifier:[ \t]*([^\n\r*]+)`)
)

// Inspect finds the licences of one module: in the folder of each package that is linked, in those above it up to the
// module's own, and in what the Go files state by SPDX identifiers.
func Inspect(m Module) (Found, error) {
	found := Found{Module: m}
	seen := map[string]bool{}
	for _, dir := range slices.Sorted(maps.Keys(m.Packages)) {
		covered := false
		for at := dir; ; at = path.Dir(at) {
			names, err := licenceFiles(m, at)
			if err != nil {
				return found, err
			}
			for _, name := range names {
				if !seen[name] {
					seen[name] = true
					file, problem, err := read(m, name)
					if err != nil {
						return found, err
					}
					if problem != "" {
						found.Problems = append(found.Problems, problem)
					}
					found.Files = append(found.Files, file)
				}
				covered = covered || !noticeNames.MatchString(path.Base(name))
			}
			if at == "." {
				break
			}
		}
		if !covered {
			found.Problems = append(found.Problems, fmt.Sprintf("no licence: neither %s nor a folder above it holds a licence file", path.Join(m.Path, dir)))
		}
		for _, name := range m.Packages[dir] {
			problem, err := header(filepath.Join(m.Dir, dir, name), path.Join(dir, name))
			if err != nil {
				return found, err
			}
			if problem != "" {
				found.Problems = append(found.Problems, problem)
			}
		}
	}
	slices.SortFunc(found.Files, func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
	slices.Sort(found.Problems)
	found.Problems = slices.Compact(found.Problems)
	return found, nil
}

// licenceFiles are the names of the licence and notice files of one folder. A folder of licences is not among them: it
// holds the texts of whatever is in the repository, pictures and documentation too.
func licenceFiles(m Module, dir string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(m.Dir, filepath.FromSlash(dir)))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		name := entry.Name()
		if !entry.IsDir() && !others.MatchString(name) && (licenceNames.MatchString(name) || noticeNames.MatchString(name)) {
			names = append(names, path.Join(dir, name))
		}
	}
	return names, nil
}

// read recognises one file. problem says why its module may not be linked.
func read(m Module, name string) (file File, problem string, err error) {
	data, err := os.ReadFile(filepath.Join(m.Dir, filepath.FromSlash(name)))
	if err != nil {
		return file, "", err
	}
	file = File{Name: name, Text: string(data)}
	for _, r := range Rulings {
		if r.Module == m.Path && r.File == name && r.SHA256 == checksum(data) {
			file.Licences = []string{r.Licence}
			if r.Quote != "" {
				quote, err := os.ReadFile(filepath.Join(m.Dir, filepath.FromSlash(r.Quote)))
				if err != nil {
					return file, "", err
				}
				file.Text += "\n" + string(quote)
			}
			return file, "", nil
		}
	}
	coverage := licensecheck.Scan(data)
	for _, match := range coverage.Match {
		if match.IsURL && coverage.Percent >= recognised {
			continue
		}
		if !slices.Contains(file.Licences, match.ID) {
			file.Licences = append(file.Licences, match.ID)
		}
	}
	for _, id := range file.Licences {
		if problem := refuse(name, id); problem != "" {
			return file, problem, nil
		}
	}
	if noticeNames.MatchString(path.Base(name)) {
		return file, "", nil
	}
	if len(file.Licences) == 0 || coverage.Percent < recognised {
		return file, fmt.Sprintf("unknown licence: %.0f %% of %s is the text of a known one (checksum %s)", coverage.Percent, name, checksum(data)), nil
	}
	return file, "", nil
}

func refuse(name, id string) string {
	if slices.Contains(Allowed, id) {
		return ""
	}
	return fmt.Sprintf("%s in %s is not a licence that Lookout links", id, name)
}

// header looks at what a Go file states about its licence in its first lines.
func header(file, name string) (problem string, err error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil // made by go for a test
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	head := make([]byte, 2048)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return "", err
	}
	match := spdx.FindSubmatch(head[:n])
	if match == nil {
		return "", nil
	}
	expression := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(string(match[1])), "*/"))
	if !allows(expression) {
		return fmt.Sprintf("%s states SPDX-License-Identifier: %s, which is not a licence that Lookout links", name, expression), nil
	}
	return "", nil
}

// allows evaluates an SPDX expression of OR and AND: https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/.
func allows(expression string) bool {
	expression = strings.NewReplacer("(", "", ")", "").Replace(expression)
	for alternative := range strings.SplitSeq(expression, " OR ") {
		every := true
		for id := range strings.SplitSeq(alternative, " AND ") {
			id, _, _ = strings.Cut(strings.TrimSpace(id), " WITH ")
			every = every && slices.Contains(Allowed, id)
		}
		if every {
			return true
		}
	}
	return false
}
