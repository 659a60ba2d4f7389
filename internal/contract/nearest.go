package contract

import (
	"strings"

	"github.com/agext/levenshtein"
)

// nearest is the name most like the missing one, "" if none is near enough to be worth naming.
func (c *Checker) nearest(name string) string {
	if near, ok := c.near[name]; ok {
		return near
	}
	best, score := "", 0.0
	for _, candidate := range c.inv.Names() {
		if s := likeness(name, candidate); s > score {
			best, score = candidate, s
		}
	}
	if score < 0.72 {
		best = ""
	}
	c.near[name] = best
	return best
}

// likeness is 1 for equal names. Names that differ only by a unit or type suffix, or hold the same words in another order, are nearer than the letters say.
func likeness(a, b string) float64 {
	if strings.Contains(a, ":") != strings.Contains(b, ":") {
		return 0
	}
	long, short := a, b
	if len(long) < len(short) {
		long, short = short, long
	}
	if rest, ok := strings.CutPrefix(long, short); ok && strings.HasPrefix(rest, "_") {
		return 0.95 - 0.01*float64(len(rest))
	}
	if len(short)*2 < len(long) {
		return 0
	}
	s := 1 - float64(levenshtein.Distance(a, b, nil))/float64(len(long))
	if words := commonWords(a, b); words > s {
		s = words
	}
	return s
}

// commonWords is the share of words two names have in common.
func commonWords(a, b string) float64 {
	as, bs := strings.Split(a, "_"), strings.Split(b, "_")
	common := 0
	for _, w := range as {
		for i, v := range bs {
			if v == w {
				common++
				bs[i] = "\x00"
				break
			}
		}
	}
	return 2 * float64(common) / float64(len(as)+len(bs))
}
