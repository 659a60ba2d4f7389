package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// What no test notices is reported, what one notices is not, and neither is a loop that does not end.
func TestSurvivors(t *testing.T) {
	var out bytes.Buffer
	ok, err := run(t.Context(), []string{"-dir=testdata/m", "-timeout=2s", "-least=40", "."}, &out)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		got = append(got, strings.TrimSuffix(strings.TrimSpace(line), ", and no test noticed"))
	}
	last := got[len(got)-1]
	got = got[:len(got)-1]
	want := []string{
		"m.go:19: 3 became 3+1", "m.go:20: == became !=", "m.go:21: ++ left out", "m.go:24: * became /", "m.go:24: 2 became 2+1",
		"m.go:43: the excuse is not needed, tests notice every mistake here: remove it", "m.go:48: ! removed",
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if ok {
		t.Error("an excuse that is not needed is not an error")
	}
	if !strings.HasPrefix(last, "example: ") || !strings.Contains(last, "excused), ") {
		t.Error(last)
	}
	t.Log(last)
}
