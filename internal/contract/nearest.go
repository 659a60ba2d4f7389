package contract

import (
	"strings"

	"github.com/agext/levenshtein"
)

// nearEnough is how alike two names must be for one to be suggested for the other.
const nearEnough = 0.72

// maxSuggestions bounds for how many names one is looked for. Who misses more has not made a typing error but asked the wrong exporter.
const maxSuggestions = 100

// nameIndex makes it cheap to see that two names are not alike: a foreign dashboard asks for hundreds of names of which none is there.
type nameIndex struct {
	names  []string
	bags   []bag
	words  []int32            // how many each name has
	byWord map[string][]int32 // word → indices of names
	common []int32            // scratch: words in common with the name that is looked for
}

// bag counts the characters of a name. The distance of two names is at least the number of characters that one has too many.
type bag [38]int8

func bagOf(s string) (b bag) {
	for i := range len(s) {
		k := 37
		switch c := s[i] | 0x20; {
		case c >= 'a' && c <= 'z':
			k = int(c - 'a')
		case s[i] >= '0' && s[i] <= '9':
			k = 26 + int(s[i]-'0')
		case s[i] == '_':
			k = 36
		}
		if b[k] < 127 {
			b[k]++
		}
	}
	return b
}

// apart is a lower bound of the distance, or something above the limit.
func (b *bag) apart(o *bag, limit int) int {
	more, less := 0, 0
	for i := range b {
		if d := int(b[i]) - int(o[i]); d > 0 {
			more += d
		} else {
			less -= d
		}
		if more > limit || less > limit {
			return limit + 1
		}
	}
	return max(more, less)
}

func newNameIndex(names []string) *nameIndex {
	x := &nameIndex{names: names, bags: make([]bag, len(names)), words: make([]int32, len(names)), byWord: map[string][]int32{}, common: make([]int32, len(names))}
	for i, n := range names {
		x.bags[i] = bagOf(n)
		for w := range strings.SplitSeq(n, "_") {
			x.words[i]++
			if list := x.byWord[w]; len(list) == 0 || list[len(list)-1] != int32(i) {
				x.byWord[w] = append(list, int32(i))
			}
		}
	}
	return x
}

// nearest is the name most like the missing one, "" if none is near enough to be worth naming.
func (c *Checker) nearest(name string) string {
	if near, ok := c.near[name]; ok {
		return near
	}
	if c.index == nil || len(c.index.names) != len(c.inv.Metrics) {
		c.index = newNameIndex(c.inv.Names())
	}
	if len(c.near) >= maxSuggestions {
		return ""
	}
	near := c.index.nearest(name)
	c.near[name] = near
	return near
}

func (x *nameIndex) nearest(name string) string {
	best, score := "", nearEnough
	consider := func(i int, s float64) {
		if s > score && strings.Contains(name, ":") == strings.Contains(x.names[i], ":") {
			best, score = x.names[i], s
		}
	}
	// The same words in another order, one more or one less.
	clear(x.common)
	words := int32(0)
	for w := range strings.SplitSeq(name, "_") {
		words++
		for _, i := range x.byWord[w] {
			x.common[i]++
		}
	}
	for i, n := range x.common {
		if 2*n > (words+x.words[i])/2 {
			consider(i, 2*float64(n)/float64(words+x.words[i]))
		}
	}
	mine := bagOf(name)
	for i, other := range x.names {
		long, short := name, other
		if len(long) < len(short) {
			long, short = short, long
		}
		// A suffix such as _total more or less is nearer than its letters say.
		if len(long) > len(short) && len(short) > 3 && long[len(short)] == '_' && strings.HasPrefix(long, short) {
			consider(i, 0.95-0.01*float64(len(long)-len(short)))
			continue
		}
		limit := int((1 - score) * float64(len(long)))
		if len(long)-len(short) > limit || mine.apart(&x.bags[i], limit) > limit {
			continue
		}
		consider(i, 1-float64(levenshtein.Distance(name, other, nil))/float64(len(long)))
	}
	return best
}
