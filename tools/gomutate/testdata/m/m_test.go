package m

import "testing"

func TestGrade(t *testing.T) {
	for n, want := range map[int]string{-1: "wrong", 0: "bad", 49: "bad", 50: "good", 100: "good", 101: "wrong"} {
		if got := Grade(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}

func TestWeak(t *testing.T) { Weak(1, 2) }

func TestSlow(t *testing.T) {
	if Slow(3) != 0 {
		t.Error("not 0")
	}
}

func TestRest(t *testing.T) {
	Wait(1)
	if Needless(true) {
		t.Error("true")
	}
}
