package environment

import (
	"fmt"
	"path"
	"regexp"
	"strings"
	"unicode/utf8"
)

// A diagnostic is one error as Terraform prints it.
type diagnostic struct {
	// Summary is its headline.
	Summary string
	// Place is where it was found, as a file of the repository with its line; "" if Terraform gives none.
	Place string
	// Detail is the text below the quoted lines: for a failed condition our own error_message.
	Detail string
}

// conditions are the headlines of errors whose whole message is written in this repository.
var conditions = map[string]bool{
	"Invalid value for variable":              true,
	"Invalid value for input variable":        true,
	"Resource precondition failed":            true,
	"Resource postcondition failed":           true,
	"Module output value precondition failed": true,
	"Check block assertion failed":            true,
	"local-exec provisioner error":            true,
}

func (d diagnostic) String() string {
	text := d.Detail
	switch {
	case text == "":
		text = d.Summary
	case !conditions[d.Summary]:
		text = d.Summary + ": " + d.Detail
	}
	if d.Place != "" {
		text += " (" + d.Place + ")"
	}
	return text
}

var (
	placeLine = regexp.MustCompile(`^ +on (\S+) line (\d+)`)
	// ran is what comes before the words of a program that Terraform has run.
	ran = regexp.MustCompile(`(?s)^Error running command .*? Output: `)
)

// diagnostics reads what Terraform has printed to stderr with -no-color. Files are relative to dir, which is the
// root's folder within the repository.
func diagnostics(dir, stderr string) []diagnostic {
	var found []diagnostic
	seen := map[string]bool{}
	for _, block := range blocks(stderr) {
		d := parseDiagnostic(dir, block)
		// One wrong value that each of several resources refuses is one error.
		if text := d.String(); !seen[text] {
			seen[text] = true
			found = append(found, d)
		}
	}
	return found
}

// blocks are the lines of each error, without the frame that some are drawn in.
func blocks(stderr string) [][]string {
	var all [][]string
	inside := false
	for line := range strings.Lines(stderr) {
		line = strings.TrimRight(line, "\r\n ")
		if line == "╷" || line == "╵" {
			inside = inside && line != "╵"
			continue
		}
		if rest, ok := strings.CutPrefix(line, "│"); ok {
			line = strings.TrimPrefix(rest, " ")
		}
		if framed := strings.HasPrefix(strings.TrimLeft(line, " "), "│"); !framed {
			switch {
			case strings.HasPrefix(line, "Error: "):
				inside = true
				all = append(all, nil)
			case strings.HasPrefix(line, "Warning: "):
				inside = false
			}
		}
		if inside {
			all[len(all)-1] = append(all[len(all)-1], line)
		}
	}
	return all
}

func parseDiagnostic(dir string, lines []string) diagnostic {
	d := diagnostic{Summary: strings.TrimPrefix(lines[0], "Error: ")}
	var paragraphs [][]string
	for _, line := range lines[1:] {
		if line == "" {
			paragraphs = append(paragraphs, nil)
			continue
		}
		if len(paragraphs) == 0 {
			paragraphs = append(paragraphs, nil)
		}
		last := len(paragraphs) - 1
		paragraphs[last] = append(paragraphs[last], line)
	}
	var detail []string
	for _, p := range paragraphs {
		switch {
		case len(p) == 0:
		case len(detail) == 0 && d.Place == "" && (strings.HasPrefix(p[0], "  on ") || strings.HasPrefix(p[0], "  with ")):
			for _, line := range p {
				if m := placeLine.FindStringSubmatch(line); m != nil {
					d.Place = fmt.Sprintf("%s:%s", path.Join(dir, m[1]), m[2])
					break
				}
			}
		case strings.HasPrefix(p[0], "This was checked by the validation rule"):
		default:
			detail = append(detail, unwrap(p))
		}
	}
	d.Detail = ran.ReplaceAllString(strings.Join(detail, "\n"), "")
	d.Detail = strings.TrimSpace(d.Detail)
	return d
}

// wrapWidth is the column at which Terraform breaks lines that don't begin with a blank, when it writes to no terminal.
const wrapWidth = 77

// unwrap joins the lines that Terraform has broken; line breaks of the message itself stay.
func unwrap(lines []string) string {
	var b strings.Builder
	for i, line := range lines {
		if i > 0 {
			before := lines[i-1]
			word, _, _ := strings.Cut(line, " ")
			if word != "" && !strings.HasPrefix(before, " ") && utf8.RuneCountInString(before)+1+utf8.RuneCountInString(word) > wrapWidth {
				b.WriteByte(' ')
			} else {
				b.WriteByte('\n')
			}
		}
		b.WriteString(line)
	}
	return b.String()
}

// shown is how many errors are printed; the log has them all.
const shown = 10

// sentences are the errors as a person wants to read them: ours first, without what Terraform quotes.
func sentences(dir, stderr string) string {
	all := diagnostics(dir, stderr)
	if len(all) == 0 {
		return strings.TrimSpace(stderr)
	}
	var b strings.Builder
	for i, d := range all {
		if i == shown {
			fmt.Fprintf(&b, "and %d more\n", len(all)-shown)
			break
		}
		b.WriteString(d.String() + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}
