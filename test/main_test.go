package test

import (
	"flag"
	"os"
	"testing"

	"github.com/gruntwork-io/terratest/modules/logger"
)

func TestMain(m *testing.M) {
	// Part of terratest names every command on stdout whatever logger it is given. Each stack keeps its
	// own log, which goes into the bundle of a test that failed.
	logger.Default = logger.Discard
	// The stacks wait more than they compute, so there may be more of them at once than processors.
	flag.Parse()
	if err := flag.Set("test.parallel", "3"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
