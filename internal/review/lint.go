package review

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"

	"lookout/internal/dashboard"
	"lookout/internal/finding"
	"lookout/internal/inputs"
	"lookout/internal/lint"
	"lookout/internal/promql"
	"lookout/internal/revision"
	"lookout/internal/source"
)

// Linting is one run of the linter over some files.
type Linting struct {
	Files  []source.File
	Config lint.Config
	// NewSince is a commit, tag or branch: only what is new since is reported. "" reports everything.
	NewSince string
	// Fix changes what has one right answer, in the files, before the rest is reported.
	Fix bool
}

// Lint runs the linter and returns how many findings it fixed, too.
func Lint(ctx context.Context, l Linting) (result finding.Result, fixed int, err error) {
	parser := promql.NewParser()
	if result, err = l.run(ctx, l.Files, parser); err != nil {
		return result, 0, err
	}
	if l.Fix {
		if result, fixed, err = l.fix(ctx, parser, result); err != nil {
			return result, fixed, err
		}
	}
	if l.NewSince != "" {
		err = l.dropOld(ctx, parser, &result)
	}
	return result, fixed, err
}

func (l *Linting) run(ctx context.Context, files []source.File, parser *promql.Parser) (finding.Result, error) {
	linter := lint.New(l.Config, parser)
	skipped, err := inputs.Visit(ctx, files, inputs.Visitor{
		Dashboard: func(d *dashboard.Dashboard) { linter.Dashboard(d, nil) },
		Broken:    linter.Unreadable,
		Rules:     linter.RuleFile,
	})
	if err != nil {
		return finding.Result{}, err
	}
	result := linter.Result()
	result.Skipped = skipped
	return result, nil
}

// mostFixes is how often a file is linted and fixed: an edit may make the next one possible.
const mostFixes = 5

// fix applies the edits of the findings and lints again.
func (l *Linting) fix(ctx context.Context, parser *promql.Parser, result finding.Result) (_ finding.Result, total int, err error) {
	for range mostFixes {
		byFile := map[string][]finding.Finding{}
		for _, f := range result.Findings {
			if f.Fix != nil && f.File != source.StdinName {
				byFile[f.File] = append(byFile[f.File], f)
			}
		}
		if len(byFile) == 0 {
			break
		}
		for file, findings := range byFile {
			data, err := os.ReadFile(file)
			if err != nil {
				return result, total, err
			}
			text, bom := strings.CutPrefix(string(data), "\ufeff")
			fixed, n := finding.Fix(text, findings)
			if bom {
				fixed = "\ufeff" + fixed
			}
			if err := source.Replace(file, []byte(fixed)); err != nil {
				return result, total, err
			}
			total += n
		}
		if result, err = l.run(ctx, l.Files, parser); err != nil {
			return result, total, err
		}
	}
	return result, total, nil
}

// dropOld leaves only the findings that the revision did not have. A finding is the same if rule, file, dashboard, panel and message are; lines move with every
// edit. Of equal findings as many are old as there were before. A file that can't be read is not compared, so that is never old.
func (l *Linting) dropOld(ctx context.Context, parser *promql.Parser, result *finding.Result) error {
	base, err := revision.At(ctx, l.NewSince, l.Files)
	if err != nil {
		return err
	}
	old, err := l.run(ctx, base, parser)
	if err != nil {
		return fmt.Errorf("at %s: %w", l.NewSince, err)
	}
	movedTo := map[string]string{} // title of a dashboard → its file now, if it is a new one
	was, is := map[string]bool{}, map[string]bool{}
	for _, f := range base {
		was[f.Name] = true
	}
	for _, f := range l.Files {
		is[f.Name] = true
	}
	for _, f := range result.Findings {
		if f.Dashboard != "" && !was[f.File] {
			movedTo[f.Dashboard] = f.File
		}
	}
	had := map[string]int{}
	key := func(f finding.Finding, file string) string {
		return strings.Join([]string{f.Rule, file, f.Panel, stripLines(f.Message)}, "\x00")
	}
	for _, f := range old.Findings {
		file := f.File
		if to, ok := movedTo[f.Dashboard]; ok && !is[file] {
			file = to
		}
		had[key(f, file)]++
	}
	fresh := []finding.Finding{}
	for _, f := range result.Findings {
		if k := key(f, f.File); had[k] > 0 && lint.Unread([]finding.Finding{f}) == 0 {
			had[k]--
			continue
		}
		fresh = append(fresh, f)
	}
	result.Findings = fresh
	return nil
}

var lineNumbers = regexp.MustCompile(`on line [0-9]+`)

// stripLines takes line numbers out of a message, since they change with every line above.
func stripLines(msg string) string { return lineNumbers.ReplaceAllString(msg, "on a line") }
