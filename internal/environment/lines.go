package environment

import (
	"bytes"
	"io"
	"sync"
)

// lineWriter lets several writers share one output without mixing their lines.
type lineWriter struct {
	mu  sync.Mutex
	out io.Writer
}

// named is a writer whose lines begin with prefix.
func (w *lineWriter) named(prefix string) io.Writer { return &namedLines{w: w, prefix: prefix} }

type namedLines struct {
	w      *lineWriter
	prefix string
	rest   []byte
}

// Write passes on whole lines; a container's log always ends with one.
func (n *namedLines) Write(p []byte) (int, error) {
	n.rest = append(n.rest, p...)
	end := bytes.LastIndexByte(n.rest, '\n')
	if end < 0 {
		return len(p), nil
	}
	var b bytes.Buffer
	for line := range bytes.Lines(n.rest[:end+1]) {
		b.WriteString(n.prefix)
		b.Write(line)
	}
	n.rest = append([]byte(nil), n.rest[end+1:]...)
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	if _, err := n.w.out.Write(b.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}
