package toolchain

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnEngineThatSomebodyNamedIsNotReplacedByAnother(t *testing.T) {
	t.Setenv("DOCKER_HOST", "tcp://127.0.0.1:1") // nothing listens on port 1
	_, err := FindEngine(t.Context())
	require.ErrorContains(t, err, "DOCKER_HOST=tcp://127.0.0.1:1")
	require.ErrorContains(t, err, "unset DOCKER_HOST")
}
