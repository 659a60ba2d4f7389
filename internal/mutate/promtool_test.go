package mutate

import (
	"os/exec"
	"strings"
	"testing"
)

// A promtool too old for reports, or another program of that name, is named with what to do about it.
func TestAPromtoolWithoutReportsIsNamed(t *testing.T) {
	path, err := exec.LookPath("false")
	if err != nil {
		t.Skip(err)
	}
	_, err = promtool{path: path, jobs: 1, dir: t.TempDir()}.run(t.Context(), []string{"a.test.yaml"})
	for _, want := range []string{path + " wrote no JUnit report", "run `make init`", "LOOKOUT_PROMTOOL"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, without %q", err, want)
		}
	}
	_, err = FindPromtool(".", func(string) string { return "/nowhere/promtool" })
	if err == nil || !strings.HasSuffix(err.Error(), "name a promtool, or unset it") {
		t.Error(err)
	}
}
