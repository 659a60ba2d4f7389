package test

import (
	"os"
	"testing"

	"github.com/gruntwork-io/terratest/modules/logger"
)

func TestMain(m *testing.M) {
	// Part of terratest names every command on stdout whatever logger it is given. Each stack keeps its
	// own log, which goes into the bundle of a test that failed.
	logger.Default = logger.Discard
	os.Exit(m.Run())
}
