package main

import (
	"io/fs"
	"math"
	"strconv"
	"strings"
)

// unlimited is where the first version of control groups begins to mean "no limit": it writes the largest page-aligned number.
const unlimited = 1 << 62

// memoryLimit is the memory limit of the container that the process runs in, in bytes, as its control group has it; +Inf without one. fsys is the root of
// the file system.
func memoryLimit(fsys fs.FS) float64 {
	for _, name := range []string{"sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			continue
		}
		// The second version writes "max" for no limit, which is not a number.
		if limit, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err == nil && limit < unlimited {
			return float64(limit)
		}
	}
	return math.Inf(1)
}
