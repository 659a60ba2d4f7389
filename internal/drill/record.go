// Package drill makes alerts happen on purpose and follows each to the chat and back: it says what took how long against the schedule, or
// which part of the chain is broken.
package drill

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Verdict is what a drill came to.
type Verdict string

// The verdicts.
const (
	// Passed: the alert went the whole way and came back, in time.
	Passed Verdict = "passed"
	// Failed: [Result.Part] is broken, or late.
	Failed Verdict = "failed"
	// Skipped: the alert cannot be drilled here, for [Result.Reason].
	Skipped Verdict = "skipped"
	// Interrupted: someone ended the drill; everything was restored.
	Interrupted Verdict = "interrupted"
)

// Result is what a drill of one alert showed.
type Result struct {
	Alert       string    `json:"alert"`
	Environment string    `json:"environment"`
	Engine      string    `json:"engine"`
	At          time.Time `json:"at"`
	Verdict     Verdict   `json:"verdict"`
	// Means says how the alert was made to happen, in words.
	Means string `json:"means,omitempty"`
	// Part of the chain that is broken or late, Reason what was seen there and Remedy what to do about it. Of a skipped alert Reason says why.
	Part   Part   `json:"part,omitempty"`
	Reason string `json:"reason,omitempty"`
	Remedy string `json:"remedy,omitempty"`
	// DryRun is set where the drill ended before people.
	DryRun bool    `json:"dry_run,omitempty"`
	Stages []Stage `json:"stages,omitempty"`
	// Seconds from the breach to the message, and how many the schedule gives for that. 0 where no message came.
	Seconds  float64 `json:"seconds,omitempty"`
	Schedule float64 `json:"schedule,omitempty"`
	// Notes are what else was seen, such as further alerts that fired with it.
	Notes []string `json:"notes,omitempty"`
}

// Stage is one step of the way.
type Stage struct {
	Name string    `json:"name"`
	At   time.Time `json:"at"`
	// Seconds since the stage before, and how many the schedule gives for it.
	Seconds  float64 `json:"seconds"`
	Schedule float64 `json:"schedule"`
	// Detail is what was seen, in words.
	Detail string `json:"detail,omitempty"`
}

// Folder is where results are kept, below the repository's root.
const Folder = ".cache/drill"

func resultFile(root, environment, alert string) (string, error) {
	for what, name := range map[string]string{"environment": environment, "alert": alert} {
		if name == "" || strings.ContainsAny(name, "/\\\x00") || strings.HasPrefix(name, ".") {
			return "", fmt.Errorf("%q is not a name of an %s", name, what)
		}
	}
	return filepath.Join(root, filepath.FromSlash(Folder), environment, alert+".json"), nil
}

// Last is the result of an alert's last drill in an environment, as kept below a repository's root; ok is false if there is none. Drills that were
// skipped or interrupted are not kept.
func Last(root, environment, alert string) (result Result, ok bool, err error) {
	name, err := resultFile(root, environment, alert)
	if err != nil {
		return Result{}, false, err
	}
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Result{}, false, nil
	}
	if err != nil {
		return Result{}, false, fmt.Errorf("reading the last drill: %w", err)
	}
	if err := json.Unmarshal(data, &result); err != nil {
		return Result{}, false, fmt.Errorf("%s is not the result of a drill: %w; delete it", name, err)
	}
	return result, true, nil
}

// Save keeps a result for [Last].
func Save(root string, result Result) error {
	if result.Verdict == Skipped || result.Verdict == Interrupted {
		return nil
	}
	name, err := resultFile(root, result.Environment, result.Alert)
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("keeping the result: %w", err)
	}
	temporary := name + ".new"
	if err := os.WriteFile(temporary, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("keeping the result: %w", err)
	}
	return os.Rename(temporary, name)
}
