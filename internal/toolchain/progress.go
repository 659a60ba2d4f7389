package toolchain

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Progress shows how far long work is: on a terminal in one line that changes each second,
// elsewhere in a new line every half minute.
type Progress struct {
	Out io.Writer
	// Terminal says that Out understands carriage return.
	Terminal bool

	mu sync.Mutex
	// active is what is being worked on, oldest first; ticking says that tick runs.
	active  []*work
	ticking bool
}

// work is something long.
type work struct {
	what, logPath string
	begin         time.Time
}

func (w *work) String() string {
	return fmt.Sprintf("%s, %s%s", w.what, time.Since(w.begin).Round(time.Second), doing(w.logPath))
}

// IsTerminal reports whether a file is a terminal.
func IsTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb" && os.Getenv("CI") == ""
}

// Step prints a finished step of a command ("Docker Engine   20.10 answers").
func (p *Progress) Step(what, result string) { p.print(fmt.Sprintf("%-16s %s", what, result)) }

// Note prints a line of explanation.
func (p *Progress) Note(text string) { p.print(strings.Repeat(" ", 17) + text) }

// Done prints a finished part.
func (p *Progress) Done(step, steps int, what, result string) {
	p.Note(fmt.Sprintf("%d/%d %s: %s", step, steps, what, result))
}

// Start shows that a part is being built until the returned function is called. logPath is read for how
// far it is.
func (p *Progress) Start(step, steps int, what, logPath string) (stop func()) {
	what = fmt.Sprintf("%d/%d %s: building", step, steps, what)
	p.transient(what + " from its module (log: " + logPath + ")")
	return p.Working(what, logPath)
}

// Working shows that something is being done until the returned function is called. Several things may
// be done at once.
func (p *Progress) Working(what, logPath string) (stop func()) {
	w := &work{what: what, logPath: logPath, begin: time.Now()}
	p.mu.Lock()
	p.active = append(p.active, w)
	start := !p.ticking
	p.ticking = true
	p.mu.Unlock()
	if start {
		go p.tick()
	}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.active = slices.DeleteFunc(p.active, func(other *work) bool { return other == w })
	}
}

// tick reports what is active until nothing is.
func (p *Progress) tick() {
	every := 30 * time.Second
	if p.Terminal {
		every = time.Second
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for range ticker.C {
		p.mu.Lock()
		if len(p.active) == 0 {
			p.ticking = false
			p.mu.Unlock()
			return
		}
		lines := make([]string, len(p.active))
		for i, w := range p.active {
			lines[i] = w.String()
		}
		p.mu.Unlock()
		if p.Terminal {
			lines = []string{strings.Join(lines, " · ")}
		}
		for _, line := range lines {
			p.transient(line)
		}
	}
}

// doing says what a build is at, by its log: its last command, and how many packages `go build -v` has
// named since. It is empty for logs of another kind.
func doing(logPath string) string {
	data, err := os.ReadFile(logPath)
	if err != nil {
		return ""
	}
	command, packages := "", 0
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if words, ok := strings.CutPrefix(line, "$ "); ok {
			command, packages = filepath.Base(strings.Join(strings.Fields(words)[:2], " ")), 0
		} else if line != "" && !strings.Contains(line, " ") {
			packages++
		}
	}
	switch command {
	case "":
		return ""
	case "go build":
		return fmt.Sprintf(", %d packages compiled", packages)
	}
	return ", " + command
}

func (p *Progress) transient(text string) {
	if !p.Terminal {
		p.Note(text)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.Out, "\r\x1b[K%s%s", strings.Repeat(" ", 17), text)
}

func (p *Progress) print(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.Terminal {
		fmt.Fprint(p.Out, "\r\x1b[K")
	}
	fmt.Fprintln(p.Out, text)
}
