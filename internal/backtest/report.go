package backtest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"lookout/internal/finding"
	"lookout/internal/markdown"
)

// Cells of a line that shows the time, and firings that are listed one by one.
const (
	pictureCells = 56
	mostFirings  = 5
)

// JSON writes the contract.
func (r *Report) JSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// Text writes for a terminal. base is what the alerts are compared with.
func (r *Report) Text(w io.Writer, base string) error {
	var b strings.Builder
	if len(r.Alerts) == 0 {
		fmt.Fprintf(&b, "no alert fires otherwise than at %s\n", base)
	}
	for _, a := range r.Alerts {
		fmt.Fprintf(&b, "%s (%s)\n", a.Alert, a.File)
		r.body(&b, a)
	}
	fmt.Fprintln(&b, r.line())
	_, err := io.WriteString(w, b.String())
	return err
}

// Markdown writes for a comment, at most limit bytes (0: as many as need be): alerts that do not fit are counted.
func (r *Report) Markdown(w io.Writer, base string, limit int) error {
	const reserve = 200
	var b strings.Builder
	if len(r.Alerts) == 0 {
		fmt.Fprintf(&b, "no alert fires otherwise than at %s\n", markdown.Code(base))
	}
	left := 0
	for _, a := range r.Alerts {
		var one strings.Builder
		fmt.Fprintf(&one, "**%s** %s\n```\n", markdown.Inline(a.Alert), markdown.Code(a.File))
		r.body(&one, a)
		one.WriteString("```\n")
		if limit > 0 && b.Len()+one.Len() > limit-reserve {
			left++
			continue
		}
		b.WriteString(one.String())
	}
	if left > 0 {
		fmt.Fprintf(&b, "… and %s more; `lookout rules backtest` shows all.\n", finding.Count(left, "alert"))
	}
	fmt.Fprintln(&b, r.line())
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Report) line() string {
	const minute = "2006-01-02 15:04"
	return fmt.Sprintf("%s, %s to %s UTC, asked in %s", finding.Count(len(r.Alerts), "alert"), r.Start.Format(minute), r.End.Format(minute), r.Took.Round(100*time.Millisecond))
}

func (r *Report) body(b *strings.Builder, a *Alert) {
	// Three backticks would end the block of a comment.
	safe := func(s string) string { return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "```", `"""`) }
	fmt.Fprintf(b, "  %s\n", safe(a.Change))
	if a.Error != "" {
		fmt.Fprintf(b, "  could not be asked for: %s\n", safe(a.Error))
	}
	for _, side := range []struct {
		name string
		r    *Result
	}{{"before", a.Before}, {"after", a.After}} {
		if side.r == nil {
			continue
		}
		fmt.Fprintf(b, "  %-6s %s %s\n", side.name, side.r.Draw(r.Start, r.End, pictureCells), side.r.words())
	}
	if shown := cmp.Or(a.After, a.Before); shown != nil {
		for _, f := range shown.Firings[:min(len(shown.Firings), mostFirings)] {
			fmt.Fprintf(b, "         %s – %s %s\n", f.Start.Format("01-02 15:04"), f.End.Format("01-02 15:04"), safe(f.Labels.String()))
		}
		if more := len(shown.Firings) - mostFirings; more > 0 {
			fmt.Fprintf(b, "         and %d more\n", more)
		}
	}
}

// often is how often and how long.
func (r *Result) often() string {
	if n := len(r.Firings); n > 0 {
		return fmt.Sprintf("%s, %s in all", finding.Count(n, "time"), model.Duration(r.Total().Round(time.Second)))
	}
	return "never"
}

// words is how often and how long, and what it costs.
func (r *Result) words() string {
	s := r.often()
	if r.Pending > 0 {
		s += fmt.Sprintf("; pending only %s", finding.Count(r.Pending, "time"))
	}
	s += fmt.Sprintf("; %s", map[bool]string{true: "1 series", false: fmt.Sprintf("%d series", r.Series)}[r.Series == 1])
	switch {
	case r.NothingRead && r.Series == 0:
		s += ", and no sample was read: this Prometheus has stored nothing of it"
	case r.Samples > 0:
		s += fmt.Sprintf(", %s an evaluation", finding.Count(r.Samples, "sample"))
	}
	return s
}
