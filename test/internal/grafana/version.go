package grafana

import (
	"strconv"
	"strings"
)

// A version is 13.2.3 as [13 2 3]; what follows a dash counts for nothing.
type version [3]int

func parseVersion(s string) (v version) {
	s, _, _ = strings.Cut(s, "-")
	for i, part := range strings.SplitN(s, ".", 3) {
		v[i], _ = strconv.Atoi(part)
	}
	return v
}

// from says whether v is at least the given one.
func (v version) from(major, minor, patch int) bool {
	for i, w := range [3]int{major, minor, patch} {
		if v[i] != w {
			return v[i] > w
		}
	}
	return true
}
