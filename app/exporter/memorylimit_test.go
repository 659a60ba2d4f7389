package main

import (
	"math"
	"testing"
	"testing/fstest"
)

func TestMemoryLimit(t *testing.T) {
	const v1, v2 = "sys/fs/cgroup/memory/memory.limit_in_bytes", "sys/fs/cgroup/memory.max"
	for name, test := range map[string]struct {
		file, text string
		want       float64
	}{
		"a limit, version 2":  {v2, "67108864\n", 67108864},
		"no limit, version 2": {v2, "max\n", math.Inf(1)},
		"a limit, version 1":  {v1, "67108864\n", 67108864},
		"no limit, version 1": {v1, "9223372036854771712\n", math.Inf(1)},
		"no control group":    {"proc/cpuinfo", "", math.Inf(1)},
		"something else":      {v2, "64M\n", math.Inf(1)},
	} {
		t.Run(name, func(t *testing.T) {
			if got := memoryLimit(fstest.MapFS{test.file: {Data: []byte(test.text)}}); got != test.want {
				t.Errorf("%v bytes, want %v", got, test.want)
			}
		})
	}
}
