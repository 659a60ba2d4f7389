package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/tools/go/packages"
)

func writeOverlay(dir string, replace map[string]string) (string, error) {
	data, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, os.WriteFile(name, data, 0o644)
}

// suite is the compiled tests of one package.
type suite struct {
	dir, binary string
	tests       []string
	took        map[string]time.Duration
}

// one tries all mistakes of a package and reports them.
func one(ctx context.Context, o options, pkg *packages.Package, stdout io.Writer) (good bool, err error) {
	begun := time.Now()
	root, err := filepath.Abs(o.dir)
	if err != nil {
		return false, err
	}
	all, excuses, err := mutate(root, pkg, o.files)
	if err != nil {
		return false, err
	}
	scratch, err := os.MkdirTemp("", "gomutate-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(scratch)
	own, err := compile(ctx, scratch, root, pkg, pkg.PkgPath, all)
	if err != nil {
		return false, err
	}
	all = slices.DeleteFunc(all, func(m *mutant) bool { return m.excludes })
	suites := []*suite{own}
	for _, other := range o.with {
		s, err := compile(ctx, scratch, root, pkg, other, all)
		if err != nil {
			return false, err
		}
		suites = append(suites, s)
	}
	for i, s := range suites {
		for _, m := range all {
			m.reached = nil
		}
		left := slices.DeleteFunc(slices.Clone(all), func(m *mutant) bool { return m.outcome == noticed })
		if len(left) == 0 {
			break
		}
		if err := s.reach(ctx, scratch, o.skip, all); err != nil {
			return false, err
		}
		// Programs that tests of other packages start find the switch in a file, of which there is one.
		workers := o.workers
		if i > 0 {
			workers = 1
		}
		s.try(ctx, scratch, left, workers, o.timeout, i > 0)
		if ctx.Err() != nil {
			return false, errors.New("interrupted")
		}
	}
	return summary(stdout, o, pkg, all, excuses, time.Since(begun)), nil
}

var compileError = regexp.MustCompile(`(?m)^(?:\./)?(\S+\.go):(\d+):(\d+): (.*)$`)

// compile makes the test binary of a package, in which the mutated one has its switches. Places that do not compile with them are left out.
func compile(ctx context.Context, scratch, root string, pkg *packages.Package, test string, all []*mutant) (*suite, error) {
	s := &suite{binary: filepath.Join(scratch, regexp.MustCompile(`\W+`).ReplaceAllString(test, "_")+".test"), took: map[string]time.Duration{}}
	for attempt := 0; ; attempt++ {
		file, err := overlay(scratch, pkg, root, all)
		if err != nil {
			return nil, err
		}
		cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-gcflags=-e", "-overlay="+file, "-o", s.binary, test)
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		if err == nil {
			break
		}
		dropped := 0
		for _, m := range compileError.FindAllStringSubmatch(string(out), -1) {
			dropped += drop(scratch, m[1], m[2], m[3], all)
		}
		if dropped == 0 || attempt > 10 {
			return nil, fmt.Errorf("compile with its switches: %w\n%s", err, out)
		}
	}
	if _, err := os.Stat(s.binary); err != nil {
		return nil, errors.New("it has no tests")
	}
	list := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", test)
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		return nil, err
	}
	s.dir = strings.TrimSpace(string(out))
	names, err := s.command(ctx, "-test.list", ".").Output()
	if err != nil {
		return nil, err
	}
	for name := range strings.Lines(string(names)) {
		if name = strings.TrimSpace(name); strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Example") || strings.HasPrefix(name, "Fuzz") {
			s.tests = append(s.tests, name)
		}
	}
	return s, nil
}

// drop leaves out the mistakes whose switch is nearest before a place that does not compile.
func drop(scratch, name, line, column string, all []*mutant) int {
	files, err := filepath.Glob(filepath.Join(scratch, "*_"+filepath.Base(name)))
	if err != nil || len(files) == 0 {
		return 0
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(line)
	c, _ := strconv.Atoi(column)
	lines := bytes.SplitAfter(data, []byte("\n"))
	if n > len(lines) {
		return 0
	}
	before := append(bytes.Join(lines[:n-1], nil), lines[n-1][:min(c+12, len(lines[n-1]))]...)
	found := regexp.MustCompile(`µ(?:add\[[^\]]*\])?\((\d+)`).FindAllSubmatch(before, -1)
	dropped := 0
	for i := len(found) - 1; i >= 0 && dropped == 0; i-- {
		id, _ := strconv.Atoi(string(found[i][1]))
		for _, m := range all {
			if m.id == id && !m.excludes {
				m.excludes = true
				dropped++
			}
		}
	}
	return dropped
}

func (s *suite) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.binary, args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "GOMUTATE=0")
	// What a test has started ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// reach runs each test once without any mistake, and notes which switches it passes and how long it takes.
func (s *suite) reach(ctx context.Context, scratch, skip string, all []*mutant) error {
	byID := map[string]*mutant{}
	for _, m := range all {
		byID[strconv.Itoa(m.id)] = m
	}
	skipped, err := regexp.Compile(cmp.Or(skip, "^$"))
	if err != nil {
		return err
	}
	for _, test := range s.tests {
		if skipped.MatchString(test) {
			continue
		}
		notes := filepath.Join(scratch, "notes")
		_ = os.Remove(notes)
		if err := os.WriteFile(filepath.Join(scratch, "active"), []byte("0 "+notes), 0o644); err != nil {
			return err
		}
		begun := time.Now()
		cmd := s.command(ctx, "-test.run", "^"+test+"$")
		cmd.Env = append(cmd.Env, "GOMUTATE=0 "+notes)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s fails without any mistake: %w\n%s", test, err, tail(out))
		}
		s.took[test] = time.Since(begun)
		data, err := os.ReadFile(notes)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		for id := range strings.Lines(string(data)) {
			if m := byID[strings.TrimSpace(id)]; m != nil && !slices.Contains(m.reached, test) {
				m.reached = append(m.reached, test)
			}
		}
	}
	return os.Remove(filepath.Join(scratch, "active"))
}

func tail(out []byte) []byte { return out[max(0, len(out)-2000):] }

// try makes each mistake and runs the tests that reach it, the quickest first.
func (s *suite) try(ctx context.Context, scratch string, mutants []*mutant, workers int, limit time.Duration, byFile bool) {
	queue := make(chan *mutant)
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for m := range queue {
				m.outcome = survived
				var expected time.Duration
				for _, t := range m.reached {
					expected += s.took[t]
				}
				slices.SortFunc(m.reached, func(a, b string) int { return cmp.Compare(s.took[a], s.took[b]) })
				if byFile {
					if err := os.WriteFile(filepath.Join(scratch, "active"), []byte(strconv.Itoa(m.id)), 0o644); err != nil {
						panic(err)
					}
				}
				// The quick ones at once; each of the others by itself, so that one that notices spares the rest.
				for len(m.reached) > 0 && m.outcome != noticed && ctx.Err() == nil {
					n := 1
					for total := s.took[m.reached[0]]; n < len(m.reached) && total+s.took[m.reached[n]] < 300*time.Millisecond; n++ {
						total += s.took[m.reached[n]]
					}
					within, cancel := context.WithTimeout(ctx, min(limit, 10*time.Second+6*expected))
					cmd := s.command(within, "-test.failfast", "-test.run", "^("+strings.Join(m.reached[:n], "|")+")$")
					cmd.Env = append(cmd.Env, "GOMUTATE="+strconv.Itoa(m.id))
					if err := cmd.Run(); err != nil && ctx.Err() == nil {
						m.outcome = noticed
					}
					cancel()
					m.reached = m.reached[n:]
				}
			}
		})
	}
	for _, m := range mutants {
		queue <- m
	}
	close(queue)
	all.Wait()
}

// summary prints what survived and the score, and reports whether it is high enough.
func summary(w io.Writer, o options, pkg *packages.Package, all []*mutant, excuses []*excuse, took time.Duration) bool {
	good := true
	counts := map[string]int{}
	for _, m := range all {
		switch {
		case m.outcome == noticed:
			counts["noticed"]++
		case m.excused != nil:
			m.excused.needed = true
			counts["excused"]++
		default:
			counts["survived"]++
			fmt.Fprintf(w, "%s:%d: %s, and no test noticed\n", m.file, m.line, m.what)
		}
		if o.verbose && m.outcome == noticed {
			fmt.Fprintf(w, "%s:%d: %s: noticed\n", m.file, m.line, m.what)
		}
	}
	for _, e := range excuses {
		if !e.needed {
			good = false
			fmt.Fprintf(w, "%s:%d: the excuse is not needed, tests notice every mistake here: remove it\n", e.file, e.line)
		}
	}
	tried := counts["noticed"] + counts["survived"]
	score := 100.0
	if tried > 0 {
		score = 100 * float64(counts["noticed"]) / float64(tried)
	}
	fmt.Fprintf(w, "%s: %.1f %% (%d of %d mistakes noticed, %d excused), %s\n", pkg.PkgPath, score, counts["noticed"], tried, counts["excused"], took.Round(time.Second))
	return good && score >= o.least
}
