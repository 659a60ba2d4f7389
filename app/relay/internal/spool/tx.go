package spool

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"time"

	"go.etcd.io/bbolt"
	bboltErrors "go.etcd.io/bbolt/errors"
)

// Tx is a transaction on the spool.
type Tx struct {
	tx      *bbolt.Tx
	s       *Store
	counts  map[string]int64
	fresh   []recentKey
	trimmed int
	// owner is which body an alert came in last, and gone are remembered bodies after which another state
	// of one of their alerts came: the same body again is then news and no repetition.
	owner map[uint64]recentKey
	gone  map[uint64][16]byte
}

// Stop returned by a function given to Each ends it without an error.
//
//lint:ignore ST1012 it ends a walk, as fs.SkipAll does, and is not a failure
var Stop = errors.New("stop")

// collectionCount is the name that the number of a collection's records is kept under: no target's.
func collectionCount(collection string) string { return "#" + collection }

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
// window is not queued again, unless another body with one of its alerts came between; then it returns the
// number of the first and true. alerts are hashes that tell alerts apart.
func (t *Tx) Accept(target string, body []byte, alerts ...uint64) (seq uint64, duplicate bool, err error) {
	return t.AcceptBy(target, body, alerts, func() (uint64, error) { return t.Enqueue(target, t.s.Steady(), t.s.Wall(), body) })
}

// AcceptBy is Accept for a notification that store puts somewhere else; name stands for the target.
func (t *Tx) AcceptBy(name string, body []byte, alerts []uint64, store func() (uint64, error)) (seq uint64, duplicate bool, err error) {
	now := t.s.Steady()
	h := sha256.New()
	fmt.Fprintf(h, "%d %s ", len(name), name)
	head := fnv.New64a()
	h.Write(body)
	_, _ = io.WriteString(head, name)
	var hash [16]byte
	copy(hash[:], h.Sum(nil))
	window := t.s.opts.DuplicateWindow
	if window > 0 {
		for _, f := range t.fresh {
			if _, gone := t.gone[f.seq]; f.hash == hash && !gone {
				return f.seq, true, nil
			}
		}
		if e, ok := t.s.recent[hash]; ok && now-e.at < window {
			if _, gone := t.gone[e.seq]; !gone {
				return e.seq, true, nil
			}
		}
	}
	seq, err = store()
	if err != nil || window <= 0 {
		return seq, false, err
	}
	e := recentKey{hash: hash, recentEntry: recentEntry{seq, now}}
	recent := t.tx.Bucket(bucketRecent)
	v := make([]byte, 24, 24+8*len(alerts))
	binary.BigEndian.PutUint64(v, uint64(now))
	copy(v[8:], hash[:])
	for _, a := range alerts {
		a ^= head.Sum64()
		e.alerts = append(e.alerts, a)
		v = binary.BigEndian.AppendUint64(v, a)
		old, ok := t.owner[a]
		if !ok {
			old, ok = t.s.owner[a]
		}
		if ok && old.hash != hash {
			t.gone[old.seq] = old.hash
			if err := recent.Delete(key(old.seq)); err != nil {
				return 0, false, err
			}
		}
	}
	recent.FillPercent = 1
	if err := recent.Put(key(seq), v); err != nil {
		return 0, false, err
	}
	for _, a := range e.alerts {
		t.owner[a] = recentKey{hash: hash, recentEntry: e.recentEntry}
	}
	t.fresh = append(t.fresh, e)
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
func (t *Tx) Queue(target string, fn func(Record) bool) { t.QueueFrom(target, 0, fn) }

// QueueFrom is Queue from a number on.
func (t *Tx) QueueFrom(target string, from uint64, fn func(Record) bool) {
	b := t.tx.Bucket(bucketQueue).Bucket([]byte(target))
	if b == nil {
		return
	}
	c := b.Cursor()
	for k, v := c.Seek(key(from)); k != nil; k, v = c.Next() {
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

// Rewrite replaces the body of a queued notification; one that is not there any more is passed over.
func (t *Tx) Rewrite(target string, seq uint64, body []byte) error {
	b := t.tx.Bucket(bucketQueue).Bucket([]byte(target))
	if b == nil {
		return nil
	}
	old := b.Get(key(seq))
	if len(old) < 16 {
		return nil
	}
	return b.Put(key(seq), append(bytes.Clone(old[:16]), body...))
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
		if !bytes.HasPrefix(k, []byte("#")) {
			out = append(out, string(k))
		}
		return nil
	})
	return out
}

// Forget removes a target's queue that is empty, and its name.
func (t *Tx) Forget(target string) error {
	delete(t.counts, target)
	if err := t.tx.Bucket(bucketCounts).Delete([]byte(target)); err != nil {
		return err
	}
	if err := t.tx.Bucket(bucketQueue).DeleteBucket([]byte(target)); err != nil && !errors.Is(err, bboltErrors.ErrBucketNotFound) {
		return err
	}
	return nil
}

// Collections lists the collections whose name begins with prefix.
func (t *Tx) Collections(prefix string) []string {
	var out []string
	c := t.tx.Cursor()
	for k, v := c.Seek([]byte(prefix)); k != nil && bytes.HasPrefix(k, []byte(prefix)); k, v = c.Next() {
		if v == nil {
			out = append(out, string(k))
		}
	}
	return out
}

// Count is how many records a collection with numbers as keys has.
func (t *Tx) Count(collection string) int64 { return t.Depth(collectionCount(collection)) }

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
	if len(k) == 8 && b.Get(k) == nil {
		t.counts[collectionCount(collection)]++
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
	if b == nil || b.Get(key(id)) == nil {
		return nil
	}
	t.counts[collectionCount(collection)]--
	return b.Delete(key(id))
}

// Each calls fn with every number and its JSON in order until fn returns an error; Stop is none.
func (t *Tx) Each(collection string, fn func(id uint64, raw []byte) error) error {
	b := t.tx.Bucket([]byte(collection))
	if b == nil {
		return nil
	}
	return t.EachFrom(collection, 0, fn)
}

// EachFrom is Each from a number on.
func (t *Tx) EachFrom(collection string, from uint64, fn func(id uint64, raw []byte) error) error {
	b := t.tx.Bucket([]byte(collection))
	if b == nil {
		return nil
	}
	c := b.Cursor()
	for k, v := c.Seek(key(from)); k != nil; k, v = c.Next() {
		if len(k) != 8 {
			continue
		}
		if err := fn(binary.BigEndian.Uint64(k), v); err != nil {
			if errors.Is(err, Stop) {
				return nil
			}
			return err
		}
	}
	return nil
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
	alerts := t.s.recentAlerts
	for _, e := range t.fresh {
		alerts += len(e.alerts)
	}
	for _, e := range t.s.recentRing {
		if now-e.at < t.s.opts.DuplicateWindow && t.trimmed >= excess && alerts <= maxRecentAlerts {
			break
		}
		alerts -= len(e.alerts)
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
	for seq, hash := range t.gone {
		if s.recent[hash].seq == seq {
			delete(s.recent, hash)
		}
	}
	for _, e := range s.recentRing[:t.trimmed] {
		s.forget(e)
	}
	s.recentRing = append(s.recentRing[t.trimmed:], t.fresh...)
	for _, e := range t.fresh {
		s.learn(e)
		if _, gone := t.gone[e.seq]; gone && s.recent[e.hash].seq == e.seq {
			delete(s.recent, e.hash)
		}
	}
	if now := s.Steady(); now-s.lastAnchor >= anchorEvery {
		s.lastAnchor = now
	}
}

// learn takes a body into what is remembered, forget takes it out.
func (s *Store) learn(e recentKey) {
	s.recent[e.hash] = e.recentEntry
	s.recentAlerts += len(e.alerts)
	for _, a := range e.alerts {
		s.owner[a] = recentKey{hash: e.hash, recentEntry: e.recentEntry}
	}
}

func (s *Store) forget(e recentKey) {
	if s.recent[e.hash].seq == e.seq {
		delete(s.recent, e.hash)
	}
	s.recentAlerts -= len(e.alerts)
	for _, a := range e.alerts {
		if s.owner[a].seq == e.seq {
			delete(s.owner, a)
		}
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

// PutAside moves a record that can't be read out of its collection.
func (t *Tx) PutAside(collection string, id uint64) error {
	b := t.tx.Bucket([]byte(collection))
	if b == nil || b.Get(key(id)) == nil {
		return nil
	}
	if err := t.aside(collection, key(id), b.Get(key(id))); err != nil {
		return err
	}
	return t.Delete(collection, id)
}

// PutAsideQueued keeps a copy of a queued notification that can't be read.
func (t *Tx) PutAsideQueued(target string, seq uint64) error {
	b := t.tx.Bucket(bucketQueue).Bucket([]byte(target))
	if b == nil || b.Get(key(seq)) == nil {
		return nil
	}
	return t.aside(string(bucketQueue)+"/"+target, key(seq), b.Get(key(seq)))
}

func (t *Tx) aside(path string, k, v []byte) error {
	b, err := t.tx.CreateBucketIfNotExists([]byte(Damaged))
	if err != nil {
		return err
	}
	if b.Stats().KeyN >= maxPutAside {
		return nil
	}
	return b.Put(fmt.Appendf(nil, "%s/%x", path, k), bytes.Clone(v))
}
