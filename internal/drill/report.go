package drill

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
)

// Line is a stage in one line: its name, what it took and what the schedule gives it.
func (s Stage) Line() string {
	line := fmt.Sprintf("%s  %-20s %6.1f s", s.At.Local().Format("15:04:05.0"), s.Name, s.Seconds)
	if s.Schedule > 0 {
		line += fmt.Sprintf("  (schedule %5.1f s)", s.Schedule)
	}
	if s.Detail != "" {
		line += "  " + s.Detail
	}
	return line
}

// Words is the verdict in one sentence.
func (r Result) Words() string {
	switch r.Verdict {
	case Passed:
		switch {
		case r.DryRun:
			return "passed up to people: " + last(r.Stages)
		case r.Seconds == 0:
			return "passed: " + last(r.Stages)
		}
		return fmt.Sprintf("passed: the message came %.1f s after the breach (schedule %.1f s), and the recovery followed", r.Seconds, r.Schedule)
	case Failed:
		return fmt.Sprintf("failed at %s: %s. %s%s.", r.Part, r.Reason, strings.ToUpper(r.Remedy[:1]), r.Remedy[1:])
	}
	return string(r.Verdict) + ": " + r.Reason
}

func last(stages []Stage) string {
	if len(stages) == 0 {
		return "nothing was seen"
	}
	s := stages[len(stages)-1]
	if s.Detail != "" {
		return s.Name + ", " + s.Detail
	}
	return s.Name
}

// Text writes all results for people: the verdict of each with its stages, and how many there were.
func Text(w io.Writer, results []Result, took time.Duration) error {
	counts := map[Verdict]int{}
	for _, r := range results {
		counts[r.Verdict]++
		if _, err := fmt.Fprintf(w, "%s  %s\n", r.Alert, r.Words()); err != nil {
			return err
		}
		for _, s := range r.Stages {
			fmt.Fprintf(w, "    %s\n", s.Line())
		}
		for _, n := range r.Notes {
			fmt.Fprintf(w, "    %s\n", n)
		}
	}
	_, err := fmt.Fprintf(w, "%d passed, %d failed, %d skipped, %d interrupted in %.0f s\n", counts[Passed], counts[Failed], counts[Skipped], counts[Interrupted], took.Seconds())
	return err
}

type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Time    string        `xml:"time,attr"`
	Failure *junitMessage `xml:"failure,omitempty"`
	Skipped *junitMessage `xml:"skipped,omitempty"`
	Out     string        `xml:"system-out,omitempty"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
}

// JUnit writes the results as a test suite that CI systems read.
func JUnit(w io.Writer, environment string, results []Result, took time.Duration) error {
	suite := junitSuite{Name: "lookout drill " + environment, Tests: len(results), Time: fmt.Sprintf("%.3f", took.Seconds())}
	for _, r := range results {
		c := junitCase{Class: "drill." + environment, Name: r.Alert, Time: fmt.Sprintf("%.3f", r.Seconds)}
		switch r.Verdict {
		case Failed:
			suite.Failures++
			c.Failure = &junitMessage{r.Words()}
		case Skipped, Interrupted:
			suite.Skipped++
			c.Skipped = &junitMessage{r.Words()}
		}
		var lines []string
		for _, s := range r.Stages {
			lines = append(lines, s.Line())
		}
		c.Out = strings.Join(append(lines, r.Notes...), "\n")
		suite.Cases = append(suite.Cases, c)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(suite); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}
