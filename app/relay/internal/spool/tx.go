package spool

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// Tx is a transaction on the spool.
type Tx struct {
	tx      *bbolt.Tx
	s       *Store
	counts  map[string]int64
	fresh   []recentKey
	trimmed int
}

// Record is an accepted notification in a target's queue.
type Record struct {
	Seq uint64
	// Received by the steady clock and by the wall clock.
	Received time.Duration
	Wall     time.Time
	// Body is the webhook JSON as it came. It is valid only within the transaction.
	Body []byte
}

// Accept puts a notification into a target's queue. The same body for the same target within the
// window is not queued again; then it returns the number of the first and true.
func (t *Tx) Accept(target string, body []byte) (seq uint64, duplicate bool, err error) {
	now := t.s.Steady()
	h := sha256.New()
	fmt.Fprintf(h, "%d %s ", len(target), target)
	h.Write(body)
	var hash [16]byte
	copy(hash[:], h.Sum(nil))
	if w := t.s.opts.DuplicateWindow; w > 0 {
		for _, f := range t.fresh {
			if f.hash == hash {
				return f.seq, true, nil
			}
		}
		if e, ok := t.s.recent[hash]; ok && now-e.at < w {
			return e.seq, true, nil
		}
	}
	seq, err = t.Enqueue(target, now, t.s.Wall(), body)
	if err != nil {
		return 0, false, err
	}
	if t.s.opts.DuplicateWindow > 0 {
		e := recentKey{hash: hash, recentEntry: recentEntry{seq, now}}
		v := make([]byte, 24)
		binary.BigEndian.PutUint64(v, uint64(now))
		copy(v[8:], hash[:])
		recent := t.tx.Bucket(bucketRecent)
		recent.FillPercent = 1
		if err := recent.Put(key(seq), v); err != nil {
			return 0, false, err
		}
		t.fresh = append(t.fresh, e)
	}
	return seq, false, nil
}

// Enqueue puts a notification into a target's queue without looking for its like.
func (t *Tx) Enqueue(target string, received time.Duration, wall time.Time, body []byte) (uint64, error) {
	seq, err := t.NextID()
	if err != nil {
		return 0, err
	}
	return seq, t.Requeue(target, seq, received, wall, body)
}

// Requeue puts a notification into a target's queue at the place it had there.
func (t *Tx) Requeue(target string, seq uint64, received time.Duration, wall time.Time, body []byte) error {
	b, err := t.tx.Bucket(bucketQueue).CreateBucketIfNotExists([]byte(target))
	if err != nil {
		return err
	}
	// Keys nearly always grow, so pages are filled to the brim.
	b.FillPercent = 1
	v := make([]byte, 16, 16+len(body))
	binary.BigEndian.PutUint64(v, uint64(received))
	binary.BigEndian.PutUint64(v[8:], uint64(wall.UnixNano()))
	t.counts[target]++
	return b.Put(key(seq), append(v, body...))
}

// NextID gives the next number of the store, which is never given again.
func (t *Tx) NextID() (uint64, error) { return t.tx.Bucket(bucketMeta).NextSequence() }

// Queue calls fn with a target's queued notifications in order until fn returns false.
func (t *Tx) Queue(target string, fn func(Record) bool) {
	b := t.tx.Bucket(bucketQueue).Bucket([]byte(target))
	if b == nil {
		return
	}
	c := b.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if len(v) < 16 {
			continue
		}
		r := Record{
			Seq:      binary.BigEndian.Uint64(k),
			Received: time.Duration(binary.BigEndian.Uint64(v)),
			Wall:     time.Unix(0, int64(binary.BigEndian.Uint64(v[8:]))),
			Body:     v[16:],
		}
		if !fn(r) {
			return
		}
	}
}

// Dequeue takes notifications out of a target's queue. Numbers that are not in it are passed over.
func (t *Tx) Dequeue(target string, seqs []uint64) error {
	b := t.tx.Bucket(bucketQueue).Bucket([]byte(target))
	if b == nil {
		return nil
	}
	for _, seq := range seqs {
		k := key(seq)
		if b.Get(k) == nil {
			continue
		}
		if err := b.Delete(k); err != nil {
			return err
		}
		t.counts[target]--
	}
	return nil
}

// Depth is how many notifications wait in a target's queue.
func (t *Tx) Depth(target string) int64 {
	n := t.counts[target]
	if v := t.tx.Bucket(bucketCounts).Get([]byte(target)); len(v) == 8 {
		n += int64(binary.BigEndian.Uint64(v))
	}
	return n
}

// Targets lists every target that has or had a queue.
func (t *Tx) Targets() []string {
	var out []string
	_ = t.tx.Bucket(bucketCounts).ForEach(func(k, _ []byte) error {
		out = append(out, string(k))
		return nil
	})
	return out
}

// Put stores v as JSON under a number in the named collection.
func (t *Tx) Put(collection string, id uint64, v any) error {
	return t.PutKey(collection, key(id), v)
}

// PutKey stores v as JSON under any key.
func (t *Tx) PutKey(collection string, k []byte, v any) error {
	b, err := t.tx.CreateBucketIfNotExists([]byte(collection))
	if err != nil {
		return err
	}
	return putJSON(b, k, v)
}

// Get reads what Put stored into v and tells whether it was there.
func (t *Tx) Get(collection string, id uint64, v any) (bool, error) {
	return t.GetKey(collection, key(id), v)
}

// GetKey reads what PutKey stored into v and tells whether it was there.
func (t *Tx) GetKey(collection string, k []byte, v any) (bool, error) {
	b := t.tx.Bucket([]byte(collection))
	if b == nil {
		return false, nil
	}
	raw := b.Get(k)
	if raw == nil {
		return false, nil
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return true, fmt.Errorf("read %s: %w", collection, err)
	}
	return true, nil
}

// Delete removes a number from a collection; one that isn't there is fine.
func (t *Tx) Delete(collection string, id uint64) error {
	b := t.tx.Bucket([]byte(collection))
	if b == nil {
		return nil
	}
	return b.Delete(key(id))
}

// Each calls fn with every number and its JSON in order until fn returns an error.
func (t *Tx) Each(collection string, fn func(id uint64, raw []byte) error) error {
	b := t.tx.Bucket([]byte(collection))
	if b == nil {
		return nil
	}
	return b.ForEach(func(k, v []byte) error {
		if len(k) != 8 {
			return nil
		}
		return fn(binary.BigEndian.Uint64(k), v)
	})
}

// finish writes what the whole transaction shares.
func (t *Tx) finish() error {
	counts := t.tx.Bucket(bucketCounts)
	for target, delta := range t.counts {
		old := int64(0)
		if v := counts.Get([]byte(target)); len(v) == 8 {
			old = int64(binary.BigEndian.Uint64(v))
		}
		if err := counts.Put([]byte(target), key(uint64(old+delta))); err != nil {
			return err
		}
	}
	// Forget what is too old to be a sender's repetition.
	now := t.s.Steady()
	t.trimmed = 0
	recent := t.tx.Bucket(bucketRecent)
	excess := len(t.s.recentRing) + len(t.fresh) - maxRecent
	for _, e := range t.s.recentRing {
		if now-e.at < t.s.opts.DuplicateWindow && t.trimmed >= excess {
			break
		}
		if err := recent.Delete(key(e.seq)); err != nil {
			return err
		}
		t.trimmed++
	}
	if now-t.s.lastAnchor < anchorEvery {
		return nil
	}
	c := t.s.opts.Clock
	return putJSON(t.tx.Bucket(bucketMeta), []byte("anchor"), anchor{Boot: c.Boot, Uptime: c.Uptime(), Wall: c.Now(), Steady: now})
}

// remember takes over what is now on disk.
func (t *Tx) remember() {
	s := t.s
	for _, e := range s.recentRing[:t.trimmed] {
		if s.recent[e.hash].seq == e.seq {
			delete(s.recent, e.hash)
		}
	}
	s.recentRing = append(s.recentRing[t.trimmed:], t.fresh...)
	for _, e := range t.fresh {
		s.recent[e.hash] = e.recentEntry
	}
	if now := s.Steady(); now-s.lastAnchor >= anchorEvery {
		s.lastAnchor = now
	}
}

func putJSON(b *bbolt.Bucket, k []byte, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return b.Put(k, raw)
}

func key(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
