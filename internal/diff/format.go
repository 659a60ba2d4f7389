package diff

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/fatih/color"

	"lookout/internal/dashboard"
	"lookout/internal/markdown"
)

// Report is a result with what was looked at.
type Report struct {
	Result
	// Dashboards and Rules count the files that were compared.
	Dashboards, Rules int
}

// JSON writes the contract {"events":[…],"ignored":[…]}. An event lists all changed places with both values. Values are JSON values; what is not there is null. The path of an ignored place is the file, a #,
// and a JSON pointer.
func (r *Report) JSON(w io.Writer) error {
	type change struct {
		Path   string          `json:"path"`
		Before json.RawMessage `json:"before"`
		After  json.RawMessage `json:"after"`
	}
	type event struct {
		Kind      Kind            `json:"kind"`
		Dashboard string          `json:"dashboard"`
		Panel     string          `json:"panel"`
		Before    json.RawMessage `json:"before"`
		After     json.RawMessage `json:"after"`
		Text      string          `json:"text"`
		Changes   []change        `json:"changes"`
	}
	type ignored struct {
		Path   string `json:"path"`
		Reason string `json:"reason"`
	}
	out := struct {
		Events  []event   `json:"events"`
		Ignored []ignored `json:"ignored"`
	}{[]event{}, []ignored{}}
	for _, e := range r.Events {
		changes := []change{}
		for _, ch := range e.Changes {
			changes = append(changes, change{e.File + "#" + ch.place(), raw(ch.Before), raw(ch.After)})
		}
		out.Events = append(out.Events, event{e.Kind, e.Dashboard, e.Panel, raw(e.Before), raw(e.After), e.Text, changes})
	}
	for _, i := range r.Ignored {
		out.Ignored = append(out.Ignored, ignored{i.File + "#" + i.place(), i.Reason})
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}

func raw(n *dashboard.Node) json.RawMessage {
	if n == nil {
		return json.RawMessage("null")
	}
	return json.RawMessage(n.Compact())
}

// place is where a reader finds the change: in the new file, or in the old one if it is gone.
func (c *Change) place() string {
	if c.After == nil && c.Order == nil && c.OldPath != "" {
		return cmp.Or(c.oldSource, c.OldPath)
	}
	return cmp.Or(c.source, c.Path)
}

// files lists the files that have events, in order.
func (r *Report) files() []string {
	var out []string
	for _, e := range r.Events {
		if !slices.Contains(out, e.File) {
			out = append(out, e.File)
		}
	}
	return out
}

func (r *Report) of(file string) []Event {
	var out []Event
	for _, e := range r.Events {
		if e.File == file {
			out = append(out, e)
		}
	}
	return out
}

// Summary is one line that counts.
func (r *Report) Summary() string {
	dashboards, rules := r.Dashboards, r.Rules
	if len(r.Events) > 0 {
		// Files in which only noise changed are none that changes are in.
		files := map[string]bool{}
		dashboards, rules = 0, 0
		for _, e := range r.Events {
			if files[e.File] {
				continue
			}
			files[e.File] = true
			if strings.EqualFold(path.Ext(e.File), ".json") {
				dashboards++
			} else {
				rules++
			}
		}
	}
	what := []string{}
	if dashboards > 0 || rules == 0 {
		what = append(what, plural(dashboards, "dashboard"))
	}
	if rules > 0 {
		what = append(what, plural(rules, "rule file"))
	}
	s := plural(len(r.Events), "change") + " in " + strings.Join(what, " and ")
	if len(r.Ignored) > 0 {
		s += "; " + plural(len(r.Ignored), "place") + " without meaning"
	}
	return s
}

func sign(k Kind) string {
	s := string(k)
	switch {
	case strings.HasSuffix(s, "-added"):
		return "+"
	case strings.HasSuffix(s, "-removed"):
		return "−"
	}
	return "~"
}

// Text writes for a terminal. all lists each changed place and each ignored one.
func (r *Report) Text(w io.Writer, colored, all bool) error {
	paint := func(attributes ...color.Attribute) func(string) string {
		c := color.New(attributes...)
		if colored {
			c.EnableColor()
		} else {
			c.DisableColor()
		}
		return func(s string) string { return c.Sprint(s) }
	}
	bold, faint := paint(color.Bold), paint(color.Faint)
	signs := map[string]func(string) string{"+": paint(color.FgGreen), "−": paint(color.FgRed), "~": paint(color.FgYellow)}
	var b strings.Builder
	for i, file := range r.files() {
		if i > 0 {
			b.WriteByte('\n')
		}
		events := r.of(file)
		head := bold(file)
		if d := events[0].Dashboard; d != file && d != "" {
			head += "  " + d
		}
		fmt.Fprintln(&b, head)
		for _, e := range events {
			s := sign(e.Kind)
			fmt.Fprintf(&b, "  %s %s\n", signs[s](s), e.Text)
			if !all {
				continue
			}
			for _, ch := range e.Changes {
				fmt.Fprintf(&b, "      %s\n", faint(ch.String()))
			}
		}
	}
	if all && len(r.Ignored) > 0 {
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintln(&b, bold("ignored"))
		for _, i := range r.Ignored {
			fmt.Fprintf(&b, "  %s#%s: %s\n", i.File, i.place(), faint(i.Reason))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// String is the change with its pointer and its values, shortened.
func (c Change) String() string {
	short := func(n *dashboard.Node) string { return clip(n.Compact(), 60) }
	path := c.place()
	if path == "" {
		path = "(the whole file)"
	}
	switch {
	case c.Order != nil:
		return path + " arranged anew"
	case c.Before == nil:
		return path + " + " + short(c.After)
	case c.After == nil:
		return path + " − " + short(c.Before)
	}
	return path + " " + short(c.Before) + " → " + short(c.After)
}

// MarkdownOptions say how a comment looks.
type MarkdownOptions struct {
	// Limit is the most bytes to write; GitHub takes 65,536 characters. 0 means no limit.
	Limit int
	// Pictures are the addresses of what [Changed] drew, by file.
	Pictures map[string]string
	// Plain writes no HTML: not every code host folds.
	Plain bool
	// All adds the ignored places, folded.
	All bool
}

// Markdown writes for a comment on a pull request, at most Limit bytes: what does not fit is counted.
func (r *Report) Markdown(w io.Writer, opts MarkdownOptions) error {
	const reserve = 160 // for the line that says what was left out
	var b strings.Builder
	fits := func(s string) bool {
		if opts.Limit > 0 && b.Len()+len(s) > opts.Limit-reserve {
			return false
		}
		b.WriteString(s)
		return true
	}
	fits("**" + r.Summary() + "**\n")
	left, leftFiles := 0, 0
	for _, file := range r.files() {
		events := r.of(file)
		head := "\n#### " + markdown.Inline(events[0].Dashboard) + "\n"
		if events[0].Dashboard != file {
			head += markdown.Inline(file) + "\n"
		}
		if !fits(head + "\n") {
			left, leftFiles = left+len(events), leftFiles+1
			continue
		}
		cut := false
		for _, e := range events {
			if cut || !fits("- "+map[string]string{"+": "🟢 ", "−": "🔴 ", "~": "🟡 "}[sign(e.Kind)]+markdown.Inline(e.Text)+"\n") {
				if !cut {
					leftFiles++
				}
				left, cut = left+1, true
			}
		}
		if url := opts.Pictures[file]; url != "" && !cut {
			picture := "![before and after](" + url + ")\n"
			if opts.Plain {
				fits("\n" + picture)
			} else {
				fits("\n<details open><summary>before and after</summary>\n\n" + picture + "\n</details>\n")
			}
		}
	}
	if opts.All && len(r.Ignored) > 0 && fits("\n<details><summary>"+plural(len(r.Ignored), "place")+" without meaning</summary>\n\n") {
		const end = "\n</details>\n"
		for _, i := range r.Ignored {
			if opts.Limit > 0 && b.Len()+len(end)+400 > opts.Limit-reserve {
				fits("- …\n")
				break
			}
			fits("- " + markdown.Inline(clip(i.File+"#"+i.place(), 200)+": "+i.Reason) + "\n")
		}
		b.WriteString(end)
	}
	if left > 0 {
		fmt.Fprintf(&b, "\n… and %s in %s; `lookout diff` shows all.\n", plural(left, "more change"), plural(leftFiles, "file"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
