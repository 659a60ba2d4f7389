package mutate

import (
	"encoding/json"
	"fmt"
	"io"
	"math"

	"lookout/internal/finding"
)

// Count is how many mutations there were and what became of them.
type Count struct {
	Mutations int `json:"mutations"`
	Killed    int `json:"killed"`
	Survived  int `json:"survived"`
	Excused   int `json:"excused"`
}

// Score is the share of mutations that a test noticed, of those that are not excused, in per cent, rounded down to a tenth: 95.0 is never less than 95.
func (c Count) Score() float64 {
	if c.Mutations == c.Excused {
		return 100
	}
	return math.Floor(1000*float64(c.Killed)/float64(c.Mutations-c.Excused)) / 10
}

// Count counts the mutations of a rule.
func (r *Rule) Count() Count {
	c := Count{Mutations: len(r.Results)}
	for _, one := range r.Results {
		switch {
		case one.Killed:
			c.Killed++
		case one.Survived():
			c.Survived++
		default:
			c.Excused++
		}
	}
	return c
}

// Count counts all mutations.
func (r *Report) Count() Count {
	var sum Count
	for i := range r.Rules {
		c := r.Rules[i].Count()
		sum.Mutations += c.Mutations
		sum.Killed += c.Killed
		sum.Survived += c.Survived
		sum.Excused += c.Excused
	}
	return sum
}

// Good tells whether the score is at least min per cent, every rule has a test that stays quiet just under its threshold, and every excuse is needed.
func (r *Report) Good(min float64) bool {
	if r.Count().Score() < min {
		return false
	}
	for _, rule := range r.Rules {
		if len(rule.Needless) > 0 {
			return false
		}
		for _, one := range rule.Results {
			if one.Quiet && one.Survived() {
				return false
			}
		}
	}
	return true
}

// Text writes survivors with the place in the rule file and the test that is missing, and the score.
func (r *Report) Text(w io.Writer, min float64, verbose bool) error {
	p := printer{w: w}
	for i := range r.Rules {
		rule := &r.Rules[i]
		if rule.Tests == 0 {
			p.line("%s: error: rule %q: no unit test, so that none of its %s would be noticed", rule.Position, rule.Name, finding.Count(len(rule.Results), "mutation"))
			continue
		}
		for _, one := range rule.Results {
			switch {
			case one.Survived():
				level := "survived"
				if one.Quiet {
					level = "error"
				}
				p.line("%s: %s: rule %q: %s, and no unit test fails; %s (%s)", one.Position, level, rule.Name, one.Change, one.Hint, one.Kind)
			case verbose && !one.Killed:
				p.line("%s: excused: rule %q: %s: %s (%s)", one.Position, rule.Name, one.Change, one.Excuse(), one.Kind)
			case verbose:
				p.line("%s: noticed: rule %q: %s (%s)", one.Position, rule.Name, one.Change, one.Kind)
			}
		}
		for _, name := range rule.Needless {
			p.line("%s: error: rule %q: lookout:survives %s excuses nothing: a test notices it, or there is no such mutation; delete the comment", rule.Position, rule.Name, name)
		}
	}
	c := r.Count()
	verdict := ""
	if c.Score() < min {
		verdict = fmt.Sprintf("; at least %g %% are wanted", min)
	}
	excused := ""
	if c.Excused > 0 {
		excused = fmt.Sprintf(", %d excused", c.Excused)
	}
	p.line("score %.1f %%: %d of %s noticed%s, in %s of %s%s", c.Score(), c.Killed, finding.Count(c.Mutations-c.Excused, "mutation"), excused,
		finding.Count(len(r.Rules), "rule"), finding.Count(r.Files, "file"), verdict)
	return p.err
}

type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

type jsonMutation struct {
	Kind   Kind   `json:"kind"`
	Change string `json:"change"`
	Target string `json:"target,omitempty"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	State  string `json:"state"`
	Hint   string `json:"hint,omitempty"`
	Reason string `json:"reason,omitempty"`
}

type jsonRule struct {
	Rule  string `json:"rule"`
	File  string `json:"file"`
	Line  int    `json:"line"`
	Tests int    `json:"tests"`
	Count
	Score    float64        `json:"score"`
	Needless []string       `json:"needless_excuses,omitempty"`
	Results  []jsonMutation `json:"results"`
}

// JSON writes everything.
func (r *Report) JSON(w io.Writer, min float64) error {
	type summary struct {
		Files int `json:"files"`
		Rules int `json:"rules"`
		Count
		Score float64 `json:"score"`
		Min   float64 `json:"min"`
		Good  bool    `json:"good"`
	}
	c := r.Count()
	out := struct {
		Summary summary    `json:"summary"`
		Rules   []jsonRule `json:"rules"`
	}{summary{r.Files, len(r.Rules), c, c.Score(), min, r.Good(min)}, []jsonRule{}}
	for i := range r.Rules {
		rule := &r.Rules[i]
		c := rule.Count()
		one := jsonRule{Rule: rule.Name, File: rule.File, Line: rule.Line, Tests: rule.Tests, Count: c, Score: c.Score(), Needless: rule.Needless, Results: []jsonMutation{}}
		for _, m := range rule.Results {
			j := jsonMutation{Kind: m.Kind, Change: m.Change, Target: m.Target, Line: m.Line, Column: m.Column, State: "killed"}
			switch {
			case m.Survived():
				j.State, j.Hint = "survived", m.Hint
			case !m.Killed:
				j.State, j.Reason = "excused", m.Excuse()
			}
			one.Results = append(one.Results, j)
		}
		out.Rules = append(out.Rules, one)
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(out)
}
