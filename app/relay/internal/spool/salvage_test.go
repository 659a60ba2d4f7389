package spool

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lookout/app/relay/internal/memdir"
)

var long = flag.Bool("long", false, "damage the spool at 200 places")

// filled makes a spool with 2,000 notifications for two targets, some delivered already, and some other
// records, and returns its file and which notifications it holds.
func filled(t testing.TB) (raw []byte, held map[string]bool) {
	t.Helper()
	path := filepath.Join(memdir.New(t), "spool.db")
	s := open(t, path, Options{DuplicateWindow: time.Minute})
	held = map[string]bool{}
	var seqs []uint64
	for from := 0; from < 2200; from += 100 {
		if err := s.Update(context.Background(), func(tx *Tx) error {
			for i := from; i < from+100; i++ {
				target := []string{"ops", "dev"}[i%2]
				seq, _, err := tx.Accept(target, fmt.Appendf(nil, `{"n":"mark-%05d-%s","pad":"%s"}`, i, target, strings.Repeat("x", 300+i%900)))
				if err != nil {
					return err
				}
				if i < 200 && i%2 == 0 {
					seqs = append(seqs, seq)
				} else {
					held[fmt.Sprintf("mark-%05d-%s", i, target)] = true
				}
			}
			return tx.Put("outbox", uint64(from), map[string]string{"text": strings.Repeat("y", 500)})
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Update(context.Background(), func(tx *Tx) error { return tx.Dequeue("ops", seqs) }); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw, held
}

func mark(body []byte) string {
	_, rest, _ := bytes.Cut(body, []byte(`"n":"`))
	m, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(m)
}

// TestADamagedSpoolIsNeverTheEnd damages a spool's file at random places, 200 with -args -long, in four ways. Every start
// works, and every notification whose own pages are whole is there afterwards.
func TestADamagedSpoolIsNeverTheEnd(t *testing.T) {
	raw, held := filled(t)
	const page = 4096
	places := map[string]int{}
	for m := range held {
		places[m] = bytes.Index(raw, []byte(m))
	}
	random := rand.New(rand.NewPCG(11, 8))
	dir := memdir.New(t)
	recovered := 0
	starts := 60
	if *long {
		starts = 200
	}
	for n := range starts {
		damaged := bytes.Clone(raw)
		from, to := random.IntN(len(raw)), 0
		if n%5 == 4 {
			// Most of the file is notifications; the few pages that hold the tree together matter more.
			from = random.IntN(8 * page)
		}
		what := ""
		switch n % 4 {
		case 0:
			what, to = "flip", from+1
			damaged[from] ^= 1 << random.IntN(8)
		case 1:
			what, to = "zero a sector", min(from/512*512+512, len(raw))
			from = from / 512 * 512
			clear(damaged[from:to])
		case 2:
			what, to = "random bytes", min(from+random.IntN(3*page), len(raw))
			for i := from; i < to; i++ {
				damaged[i] = byte(random.Uint32())
			}
		case 3:
			what, to = "cut off", len(raw)
			damaged = damaged[:from]
		}
		path := filepath.Join(dir, fmt.Sprintf("%d", n), "spool.db")
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(path, Options{Clock: SystemClock(), DuplicateWindow: time.Minute})
		if err != nil {
			t.Fatalf("%s at %d of %d: %v", what, from, len(raw), err)
		}
		if _, err := s.Sweep(nil); err != nil {
			t.Fatalf("%s at %d: %v", what, from, err)
		}
		got := map[string]bool{}
		if err := s.View(func(tx *Tx) error {
			for _, target := range tx.Targets() {
				tx.Queue(target, func(r Record) bool { got[mark(r.Body)] = true; return true })
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		// It takes notifications as before, under numbers that nothing else has.
		if err := s.Update(context.Background(), func(tx *Tx) error {
			seq, _, err := tx.Accept("ops", []byte(`{"n":"new"}`))
			if err == nil && seq <= 2200 {
				err = fmt.Errorf("the number %d is given twice", seq)
			}
			return err
		}); err != nil {
			t.Fatalf("%s at %d: %v", what, from, err)
		}
		lost := 0
		for m, at := range places {
			// The pages that hold it, and those of the damage.
			whole := (at+1400)/page < from/page || (at-page)/page > to/page
			if !got[m] && whole {
				lost++
			}
		}
		if lost > 0 {
			t.Errorf("%s from %d to %d of %d: %d notifications that could be read are lost (%+v)", what, from, to, len(raw), lost, s.Recovery)
		}
		if s.Recovery != nil {
			recovered++
			if _, err := os.Stat(s.Recovery.Damaged); err != nil {
				t.Errorf("the damaged file isn't kept: %v", err)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		os.RemoveAll(filepath.Dir(path))
	}
	if recovered < starts/10 {
		t.Errorf("only %d of %d were noticed as damaged", recovered, starts)
	}
	t.Logf("%d of %d files were put aside and read anew", recovered, starts)
}

func TestAForeignOrEmptyFileIsPutAside(t *testing.T) {
	for name, content := range map[string][]byte{
		"empty": {}, "foreign": []byte("SQLite format 3\x00" + strings.Repeat("z", 9000)), "short": []byte("x"), "zeros": make([]byte, 64<<10),
	} {
		path := filepath.Join(memdir.New(t), "spool.db")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, path, Options{})
		if s.Recovery == nil || !strings.Contains(s.Recovery.Damaged, "spool.db.corrupt-") {
			t.Fatalf("%s: %+v", name, s.Recovery)
		}
		if kept, err := os.ReadFile(s.Recovery.Damaged); err != nil || !bytes.Equal(kept, content) {
			t.Errorf("%s: what was there isn't kept as it was (%v)", name, err)
		}
		s.Close()
		if s = open(t, path, Options{}); s.Recovery != nil {
			t.Errorf("%s: the fresh one counts as damaged: %s", name, s.Recovery.Cause)
		}
	}
}

func TestASoundSpoolIsLeftAlone(t *testing.T) {
	raw, held := filled(t)
	path := filepath.Join(memdir.New(t), "spool.db")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, path, Options{})
	if s.Recovery != nil {
		t.Fatalf("%+v", s.Recovery)
	}
	n := 0
	s.View(func(tx *Tx) error {
		for _, target := range tx.Targets() {
			tx.Queue(target, func(Record) bool { n++; return true })
		}
		return nil
	})
	if n != len(held) {
		t.Errorf("%d notifications, want %d", n, len(held))
	}
}

// TestSweep puts aside single records that nobody can read, and the others stay.
func TestSweep(t *testing.T) {
	path := filepath.Join(memdir.New(t), "spool.db")
	s := open(t, path, Options{})
	if err := s.Update(context.Background(), func(tx *Tx) error {
		for i := range 600 {
			if err := tx.Put("outbox", uint64(i), i); err != nil {
				return err
			}
		}
		_, _, err := tx.Accept("ops", []byte(`{"n":"1"}`))
		if err != nil {
			return err
		}
		tx.counts["ops"] += 7
		return tx.tx.Bucket(bucketQueue).Bucket([]byte("ops")).Put([]byte("12345678"), []byte("short"))
	}); err != nil {
		t.Fatal(err)
	}
	found, err := s.Sweep(func(collection string, _, v []byte) error {
		if collection == "outbox" && string(v) < "3" {
			return errors.New("bad")
		}
		return nil
	})
	if err != nil || found["queue"] != 1 || found["outbox"] != 223 {
		t.Errorf("%v %v", found, err)
	}
	s.View(func(tx *Tx) error {
		left := 0
		tx.Each("outbox", func(uint64, []byte) error { left++; return nil })
		if left != 600-223 || tx.Count("outbox") != int64(left) || tx.Depth("ops") != 1 {
			t.Errorf("%d left, depth %d", left, tx.Depth("ops"))
		}
		return nil
	})
}
