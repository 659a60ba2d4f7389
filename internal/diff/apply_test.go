package diff

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"lookout/internal/dashboard"
)

// What Apply takes over is all that has a meaning, and nothing else; done again it changes nothing.
func TestApplyIsAFixedPoint(t *testing.T) {
	for seed := range uint64(120) {
		r := rand.New(rand.NewPCG(seed, 31))
		before := generate(r, 2+r.IntN(20))
		after := clone(before).(object)
		if seed%2 == 0 {
			reexport(r, after)
		}
		used := map[string]bool{}
		for range r.IntN(5) {
			mutations[r.IntN(len(mutations))].apply(r, after, used)
		}
		o, n := load(t, before), load(t, after)
		out, _, err := New().Apply(o, n, nil)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		made, err := dashboard.Load("made", out)
		if err != nil {
			t.Fatal(err)
		}
		if res := New().Dashboards(made, n); len(res.Events) > 0 {
			t.Fatalf("seed %d: not all was taken over: %s", seed, texts(res))
		}
		again, res, err := New().Apply(made, n, nil)
		if err != nil || len(res.Events) > 0 || !bytes.Equal(again, out) {
			t.Fatalf("seed %d: the second time changed something: %v %s", seed, err, texts(res))
		}
	}
}
