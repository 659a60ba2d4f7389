package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"lookout/internal/slo"
)

// rulesSLOCmd writes what watches the objectives in slos/.
type rulesSLOCmd struct {
	Check bool `help:"Write nothing; say which files are not what slos/ says. Exit code 1 if there is one."`
}

func (c *rulesSLOCmd) Run(a *app) error {
	root := os.DirFS(".")
	files, err := slo.Generate(root, "slos", "alerts")
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("there is no file of objectives in slos/ here; write one, or run it in the repository")
	}
	stale, err := slo.Stale(root, "slos", "alerts")
	if err != nil {
		return err
	}
	for _, name := range stale {
		at := slices.IndexFunc(files, func(f slo.File) bool { return f.Path == name })
		switch {
		case c.Check:
			fmt.Fprintf(a.stdout, "%s: error: it is not what slos/ says; run `lookout rules slo` (rule-file)\n", name)
		case at < 0:
			if err := os.Remove(name); err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "removed %s\n", name)
		default:
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(name, files[at].Data, 0o644); err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "wrote %s\n", name)
		}
	}
	fmt.Fprintf(a.stdout, "%d of %d files %s\n", len(stale), len(files), map[bool]string{true: "are not what slos/ says", false: "changed"}[c.Check])
	if c.Check && len(stale) > 0 {
		return errFindings
	}
	return nil
}
