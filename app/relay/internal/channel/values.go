package channel

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

// Duration is written as Prometheus writes it, like 90s, 5m or 1d12h.
type Duration time.Duration

// UnmarshalYAML reads a duration; a bare number is refused, since its unit would be a guess, and 0, since whoever
// writes it cannot mean the default that it would be.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := model.ParseDuration(n.Value)
	if err != nil {
		// Fractions, as Go writes them.
		var std time.Duration
		std, err = time.ParseDuration(n.Value)
		v = model.Duration(std)
	}
	if err != nil || v < 0 {
		return fmt.Errorf("line %d: %q is not a valid duration: write it like 30s, 5m, 1h or 1d", n.Line, n.Value)
	}
	if v == 0 {
		return fmt.Errorf("line %d: 0 is not a time that anything can be done in: leave it out for the default", n.Line)
	}
	*d = Duration(v)
	return nil
}

// Std is the duration as the standard library has it.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// Or sets a duration that was not given.
func (d *Duration) Or(fallback time.Duration) {
	if *d == 0 {
		*d = Duration(fallback)
	}
}

// Word is a text that must say something.
type Word string

// UnmarshalYAML reads a text and refuses an empty one.
func (w *Word) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode || strings.TrimSpace(n.Value) == "" {
		return fmt.Errorf("line %d: a keyword must not be empty", n.Line)
	}
	if strings.TrimSpace(n.Value) != n.Value || strings.ContainsFunc(n.Value, unicode.IsControl) {
		return fmt.Errorf("line %d: the keyword %q has spaces at an end, or a line break: write the word as the chat has it", n.Line, n.Value)
	}
	if len(n.Value) > 100 {
		return fmt.Errorf("line %d: a keyword of %d bytes would fill every message: write one word", n.Line, len(n.Value))
	}
	*w = Word(n.Value)
	return nil
}

// Words are the texts.
func Words(words []Word) []string {
	var out []string
	for _, w := range words {
		out = append(out, string(w))
	}
	return out
}
