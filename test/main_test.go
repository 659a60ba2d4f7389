package test

import (
	"flag"
	"os"
	"runtime"
	"strconv"
	"testing"

	"github.com/gruntwork-io/terratest/modules/logger"
)

func TestMain(m *testing.M) {
	// Part of terratest names every command on stdout whatever logger it is given. Each stack keeps its
	// own log, which goes into the bundle of a test that failed.
	logger.Default = logger.Discard

	// A stack mostly waits: for intervals, for containers, for messages. Three of them keep two processors
	// busy, as long as nobody asked for another number.
	flag.Parse()
	if flag.Lookup("test.parallel").Value.String() == flag.Lookup("test.parallel").DefValue {
		if err := flag.Set("test.parallel", strconv.Itoa(runtime.GOMAXPROCS(0)+1)); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
