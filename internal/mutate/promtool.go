package mutate

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/prometheus/prometheus/util/junitxml"
	"golang.org/x/sync/errgroup"
)

// FindPromtool finds the promtool that tests rules: LOOKOUT_PROMTOOL, then .cache/bin of the repository at root, where `make init` puts the version that
// evaluates them, then the PATH.
func FindPromtool(root string, getenv func(string) string) (string, error) {
	if path := getenv("LOOKOUT_PROMTOOL"); path != "" {
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("LOOKOUT_PROMTOOL: %w; name a promtool, or unset it", err)
		}
		return path, nil
	}
	if cached, err := filepath.Abs(filepath.Join(root, ".cache", "bin", "promtool")); err == nil {
		if _, err := os.Stat(cached); err == nil {
			return cached, nil
		}
	}
	path, err := exec.LookPath("promtool")
	if err != nil {
		return "", errors.New("promtool is needed to run unit tests of rules, and there is none in .cache/bin or on the PATH: run `make init`, or name it in LOOKOUT_PROMTOOL")
	}
	return path, nil
}

// outcome is what promtool said of a file of unit tests.
type outcome struct {
	tests    int
	failures []failure
}

type failure struct{ test, message string }

// promtool runs unit tests.
type promtool struct {
	path string
	// jobs is how many processes run at once.
	jobs int
	// dir is where reports are written.
	dir string
}

// run tests files and returns what became of each, in their order.
func (p promtool) run(ctx context.Context, files []string) ([]outcome, error) {
	// A share for each process: starting one takes as long as ten tests.
	share := (len(files) + p.jobs - 1) / p.jobs
	out := make([]outcome, len(files))
	group, ctx := errgroup.WithContext(ctx)
	for first := 0; first < len(files); first += share {
		part := files[first:min(first+share, len(files))]
		group.Go(func() error {
			done, err := p.process(ctx, part, filepath.Join(p.dir, fmt.Sprintf("junit%d.xml", first)))
			copy(out[first:], done)
			return err
		})
	}
	return out, group.Wait()
}

func (p promtool) process(ctx context.Context, files []string, report string) ([]outcome, error) {
	command := exec.CommandContext(ctx, p.path, append([]string{"test", "rules", "--junit=" + report}, files...)...)
	// Each test makes a database of its own there.
	command.Env = append(os.Environ(), "TMPDIR="+p.dir)
	var said bytes.Buffer
	command.Stdout, command.Stderr = &said, &said
	err := command.Run()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if exit := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		return nil, fmt.Errorf("promtool: %w\n%s", err, tail(said.String()))
	}
	data, readErr := os.ReadFile(report)
	if readErr != nil {
		return nil, fmt.Errorf("%s wrote no JUnit report (%w); run `make init` for a promtool that does, or name one in LOOKOUT_PROMTOOL\n%s", p.path, readErr, tail(said.String()))
	}
	var parsed junitxml.JUnitXML
	if err := xml.Unmarshal(data, &parsed); err != nil {
		return nil, fmt.Errorf("reading the report of promtool: %w", err)
	}
	if len(parsed.Suites) != len(files) {
		return nil, fmt.Errorf("promtool reported %d of %d files\n%s", len(parsed.Suites), len(files), tail(said.String()))
	}
	out := make([]outcome, len(files))
	for i, suite := range parsed.Suites {
		for _, c := range suite.Cases {
			if c.Error != "" {
				return nil, fmt.Errorf("promtool cannot read the unit tests: %s", c.Error)
			}
			out[i].tests++
			for _, f := range c.Failures {
				out[i].failures = append(out[i].failures, failure{c.Name, strings.TrimRight(f, " \n")})
			}
		}
	}
	return out, nil
}

// judged matches what promtool says of an expectation that does not hold and of a rule that cannot be evaluated. Everything else is about files.
var judged = regexp.MustCompile(`^\s*(name:|alertname:|rule:|expr:)`)

// unreadable returns what promtool said if it failed to load the rules, "" if it ran them.
func (o outcome) unreadable() string {
	for _, f := range o.failures {
		if !judged.MatchString(f.message) {
			return f.message
		}
	}
	return ""
}

// tail is the end of a long text.
func tail(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}
