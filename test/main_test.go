package test

import (
	"flag"
	"runtime"
	"strconv"
	"testing"

	"lookout/internal/browsertest"
	"lookout/test/internal/teststack"
)

// runs is how often TestFlow lets its alert fire: once in the suite, fifty times to see that the schedule is always kept.
var runs = flag.Int("runs", 1, "how often TestFlow raises the fault and waits for its message")

func TestMain(m *testing.M) {
	// A stack mostly waits: for intervals, for containers, for messages. Three of them keep two processors
	// busy, as long as no other number was asked for.
	flag.Parse()
	if flag.Lookup("test.parallel").Value.String() == flag.Lookup("test.parallel").DefValue {
		if err := flag.Set("test.parallel", strconv.Itoa(runtime.GOMAXPROCS(0)+1)); err != nil {
			panic(err)
		}
	}
	teststack.Main(m, browsertest.Close)
}
