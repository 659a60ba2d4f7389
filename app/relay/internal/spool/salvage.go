package spool

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Recovery is what Open did to a spool that could not be used as it was.
type Recovery struct {
	// Damaged is where the file lies now.
	Damaged string
	// Cause is what is wrong with it.
	Cause string
	// Saved records were carried over into the new spool; Places is how many parts of the file could not be
	// read, each of which held an unknown number of records.
	Saved, Places int
}

// The file format of bbolt (page.go and bucket.go of go.etcd.io/bbolt/internal/common). It is read here
// by hand, since bbolt itself trusts what it reads: a damaged page makes it panic.
const (
	pageHeader   = 16
	pageBranch   = 0x01
	pageLeaf     = 0x02
	metaMagic    = 0xED0CDAED
	metaVersion  = 2
	noFreelist   = ^uint64(0)
	bucketLeaf   = 0x01
	bucketHeader = 16
	// maxNode bounds what is read at once: a record is bounded by the largest body.
	maxNode = 256 << 20
)

type metaPage struct {
	pageSize             uint32
	root, sequence       uint64
	freelist, high, txid uint64
}

func readMeta(page []byte) (metaPage, bool) {
	if len(page) < pageHeader+64 {
		return metaPage{}, false
	}
	b := page[pageHeader:]
	sum := fnv.New64a()
	sum.Write(b[:56])
	le := binary.LittleEndian
	if le.Uint32(b) != metaMagic || le.Uint32(b[4:]) != metaVersion || le.Uint64(b[56:]) != sum.Sum64() {
		return metaPage{}, false
	}
	return metaPage{
		pageSize: le.Uint32(b[8:]), root: le.Uint64(b[16:]), sequence: le.Uint64(b[24:]),
		freelist: le.Uint64(b[32:]), high: le.Uint64(b[40:]), txid: le.Uint64(b[48:]),
	}, true
}

// reader goes through the tree of a spool's file without trusting it.
type reader struct {
	f     *os.File
	size  int64
	meta  metaPage
	seen  map[uint64]bool
	bad   []lostRange
	visit func(path []string, k, v []byte)
	// sequences of buckets by their path.
	sequences map[string]uint64
}

// lostRange is a part of a bucket that could not be read: its keys from lo on and below hi, nil for no bound.
type lostRange struct {
	path   []string
	lo, hi []byte
	cause  error
}

var errFormat = errors.New("this is not a spool")

func openReader(path string) (*reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	r := &reader{f: f, size: info.Size(), seen: map[uint64]bool{}, sequences: map[string]uint64{}}
	// The two meta pages; where the first is damaged the second is looked for at every usual page size.
	found := false
	for _, at := range []int64{0, 4096, 8192, 16384, 65536} {
		b := make([]byte, pageHeader+64)
		if _, err := f.ReadAt(b, at); err != nil {
			continue
		}
		if m, ok := readMeta(b); ok && (!found || m.txid > r.meta.txid) && m.pageSize >= 1024 && m.pageSize <= 1<<17 {
			r.meta, found = m, true
		}
	}
	if !found {
		_ = f.Close()
		return nil, errFormat
	}
	return r, nil
}

// node reads a page with what overflows it.
func (r *reader) node(id uint64) ([]byte, error) {
	size := uint64(r.meta.pageSize)
	if id < 2 || id >= r.meta.high || (id+1)*size > uint64(r.size) {
		return nil, fmt.Errorf("page %d lies outside the file", id)
	}
	head := make([]byte, pageHeader)
	if _, err := r.f.ReadAt(head, int64(id*size)); err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	if got := binary.LittleEndian.Uint64(head); got != id {
		return nil, fmt.Errorf("page %d calls itself %d", id, got)
	}
	length := (uint64(binary.LittleEndian.Uint32(head[12:])) + 1) * size
	if length > maxNode || id*size+length > uint64(r.size) {
		return nil, fmt.Errorf("page %d is longer than the file", id)
	}
	b := make([]byte, length)
	if _, err := io.ReadFull(io.NewSectionReader(r.f, int64(id*size), int64(length)), b); err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	return b, nil
}

type element struct {
	key, value []byte
	bucket     bool
	child      uint64
}

// elements decodes a branch or leaf; every offset is checked, and the keys have to ascend.
func elements(b []byte) (leaf bool, out []element, err error) {
	le := binary.LittleEndian
	flags, count := le.Uint16(b[8:]), int(le.Uint16(b[10:]))
	leaf = flags == pageLeaf
	if !leaf && flags != pageBranch {
		return false, nil, fmt.Errorf("it is neither branch nor leaf (flags %#x)", flags)
	}
	if pageHeader+16*count > len(b) {
		return leaf, nil, errors.New("it holds more elements than it has room for")
	}
	for i := range count {
		at := pageHeader + 16*i
		var e element
		pos, ksize, vsize := 0, 0, 0
		if leaf {
			e.bucket = le.Uint32(b[at:])&bucketLeaf != 0
			pos, ksize, vsize = int(le.Uint32(b[at+4:])), int(le.Uint32(b[at+8:])), int(le.Uint32(b[at+12:]))
		} else {
			pos, ksize, e.child = int(le.Uint32(b[at:])), int(le.Uint32(b[at+4:])), le.Uint64(b[at+8:])
		}
		from := at + pos
		if pos < 16 || ksize > len(b) || vsize > len(b) || from+ksize+vsize > len(b) {
			return leaf, out, fmt.Errorf("element %d lies outside of it", i)
		}
		e.key, e.value = b[from:from+ksize], b[from+ksize:from+ksize+vsize]
		if i > 0 && bytes.Compare(out[i-1].key, e.key) >= 0 {
			return leaf, out, fmt.Errorf("its keys do not ascend at element %d", i)
		}
		out = append(out, e)
	}
	return leaf, out, nil
}

func (r *reader) lost(path []string, lo, hi []byte, err error) {
	r.bad = append(r.bad, lostRange{slices.Clone(path), bytes.Clone(lo), bytes.Clone(hi), err})
}

// maxDepth bounds the tree: a spool of a billion records has six levels.
const maxDepth = 32

// page visits what lies below a page.
func (r *reader) page(path []string, id uint64, lo, hi []byte, depth int) {
	if r.seen[id] || depth > maxDepth {
		r.lost(path, lo, hi, fmt.Errorf("page %d is part of the tree twice", id))
		return
	}
	r.seen[id] = true
	b, err := r.node(id)
	if err != nil {
		r.lost(path, lo, hi, err)
		return
	}
	r.walk(path, b, lo, hi, depth, fmt.Sprintf("page %d", id))
}

func (r *reader) walk(path []string, b []byte, lo, hi []byte, depth int, what string) {
	leaf, list, err := elements(b)
	if err != nil {
		// What stands before the mistake can be read.
		from := lo
		if len(list) > 0 {
			from = append(bytes.Clone(list[len(list)-1].key), 0)
		}
		r.lost(path, from, hi, fmt.Errorf("%s: %w", what, err))
	}
	for i, e := range list {
		if outside(e.key, lo, hi) && leaf {
			r.lost(path, e.key, append(bytes.Clone(e.key), 0), fmt.Errorf("%s: a key that does not belong there", what))
			continue
		}
		// The top level and the queue hold buckets only, all others none.
		holdsBuckets := len(path) == 0 || len(path) == 1 && path[0] == string(bucketQueue)
		switch {
		case leaf && e.bucket != holdsBuckets:
			r.lost(path, e.key, append(bytes.Clone(e.key), 0), fmt.Errorf("%s: a bucket where a record belongs, or a record in place of a bucket", what))
		case !leaf:
			next := hi
			if i+1 < len(list) {
				next = list[i+1].key
			}
			from := e.key
			if i == 0 {
				from = lo
			}
			r.page(path, e.child, from, next, depth+1)
		case e.bucket:
			if len(e.value) < bucketHeader || len(path) > 3 {
				r.lost(path, e.key, append(bytes.Clone(e.key), 0), fmt.Errorf("%s: a bucket without a root", what))
				continue
			}
			inner := append(slices.Clone(path), string(e.key))
			root := binary.LittleEndian.Uint64(e.value)
			r.sequences[strings.Join(inner, "\x00")] = binary.LittleEndian.Uint64(e.value[8:])
			if root != 0 {
				r.page(inner, root, nil, nil, depth+1)
			} else if len(e.value) >= bucketHeader+pageHeader {
				r.walk(inner, e.value[bucketHeader:], nil, nil, depth+1, what)
			} else {
				r.lost(inner, nil, nil, fmt.Errorf("%s: an inline bucket that is cut off", what))
			}
		default:
			if r.visit != nil {
				r.visit(path, e.key, e.value)
			}
		}
	}
}

func outside(k, lo, hi []byte) bool {
	return lo != nil && bytes.Compare(k, lo) < 0 || hi != nil && bytes.Compare(k, hi) >= 0
}

// inspect says whether bbolt can be trusted with the file: nil if it can.
func inspect(path string) error {
	r, err := openReader(path)
	if err != nil {
		return err
	}
	defer r.f.Close()
	if r.meta.freelist != noFreelist {
		return errors.New("its list of free pages is not where this program keeps it")
	}
	if r.meta.high*uint64(r.meta.pageSize) > uint64(r.size) {
		return fmt.Errorf("the file is cut off: %d pages are missing", (r.meta.high*uint64(r.meta.pageSize)-uint64(r.size))/uint64(r.meta.pageSize)+1)
	}
	r.page(nil, r.meta.root, nil, nil, 0)
	if len(r.bad) > 0 {
		return fmt.Errorf("%d parts cannot be read: %w", len(r.bad), r.bad[0].cause)
	}
	return nil
}

// Recovered is the queue that notifications are put into whose target can't be read any more.
const Recovered = "recovered"

// salvage copies what is readable in a damaged file into a new one.
func salvage(from, to string, now time.Time) (saved, places int, err error) {
	fresh, err := bbolt.Open(to, 0o600, &bbolt.Options{NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, NoSync: true})
	if err != nil {
		return 0, 0, err
	}
	defer func() {
		if err == nil {
			err = fresh.Sync()
		}
		err = errors.Join(err, fresh.Close())
	}()
	r, err := openReader(from)
	if err != nil {
		// Nothing of it is a spool.
		return 0, 1, nil
	}
	defer r.f.Close()
	w := &writer{db: fresh, counts: map[string]int64{}}
	r.visit = w.add
	r.page(nil, r.meta.root, nil, nil, 0)
	places = len(r.bad)
	r.orphans(w)
	w.flush()
	if w.err != nil {
		return w.saved, places, w.err
	}
	return w.saved, places, fresh.Update(func(tx *bbolt.Tx) error {
		meta, err := tx.CreateBucketIfNotExists(bucketMeta)
		if err != nil {
			return err
		}
		// Numbers are never given twice, whatever was lost.
		if err := meta.SetSequence(max(r.sequences["meta"], w.highest) + 1<<20); err != nil {
			return err
		}
		var a anchor
		if json.Unmarshal(meta.Get([]byte("anchor")), &a) != nil {
			// The steady clock goes on from the latest time that is known.
			if err := putJSON(meta, []byte("anchor"), anchor{Wall: now, Steady: w.latest}); err != nil {
				return err
			}
		}
		counts, err := tx.CreateBucketIfNotExists(bucketCounts)
		if err != nil {
			return err
		}
		for target, n := range w.counts {
			if err := counts.Put([]byte(target), key(uint64(n))); err != nil {
				return err
			}
		}
		return nil
	})
}

// orphans looks for leaves that the damage cut off: a whole branch of the tree is not lost with its root.
// Some may be old, and then an alert is reported again, which is better than never.
func (r *reader) orphans(w *writer) {
	if len(r.bad) == 0 {
		return
	}
	size := uint64(r.meta.pageSize)
	for id := uint64(2); (id+1)*size <= uint64(r.size); id++ {
		if r.seen[id] {
			continue
		}
		head := make([]byte, pageHeader)
		if _, err := r.f.ReadAt(head, int64(id*size)); err != nil || binary.LittleEndian.Uint64(head) != id ||
			binary.LittleEndian.Uint16(head[8:]) != pageLeaf {
			continue
		}
		high := r.meta.high
		r.meta.high = max(high, id+1)
		b, err := r.node(id)
		r.meta.high = high
		if err != nil {
			continue
		}
		_, list, _ := elements(b)
		for _, e := range list {
			if e.bucket || len(e.key) != 8 {
				continue
			}
			for _, gap := range r.bad {
				if outside(e.key, gap.lo, gap.hi) {
					continue
				}
				if len(gap.path) == 2 && gap.path[0] == string(bucketQueue) && queueRecord(e.value) {
					w.add(gap.path, e.key, e.value)
					break
				}
				if len(gap.path) < 2 && queueRecord(e.value) && (len(gap.path) == 0 || gap.path[0] == string(bucketQueue)) {
					w.add([]string{string(bucketQueue), Recovered}, e.key, e.value)
					break
				}
				if len(gap.path) == 1 && gap.path[0] != string(bucketQueue) && gap.path[0] != string(bucketRecent) && json.Valid(e.value) {
					w.add(gap.path, e.key, e.value)
					break
				}
			}
		}
	}
}

// queueRecord tells whether a value looks like a notification as Requeue writes it.
func queueRecord(v []byte) bool { return len(v) > 16 && v[16] == '{' && v[len(v)-1] == '}' }

// writer collects records and writes them in portions.
type writer struct {
	db      *bbolt.DB
	batch   []rawRecord
	bytes   int
	saved   int
	highest uint64
	latest  time.Duration
	counts  map[string]int64
	err     error
}

type rawRecord struct {
	path []string
	k, v []byte
}

func (w *writer) add(path []string, k, v []byte) {
	if len(path) == 0 || w.err != nil || path[0] == string(bucketCounts) {
		return
	}
	if path[0] == string(bucketQueue) && (len(path) != 2 || len(k) != 8) {
		return
	}
	if len(k) == 8 && path[0] != string(bucketRecent) {
		if n := binary.BigEndian.Uint64(k); n < 1<<62 {
			w.highest = max(w.highest, n)
		}
	}
	if path[0] == string(bucketQueue) && len(v) >= 16 {
		if at := time.Duration(binary.BigEndian.Uint64(v)); at > 0 && at < 100*365*24*time.Hour {
			w.latest = max(w.latest, at)
		}
	}
	w.batch = append(w.batch, rawRecord{path, bytes.Clone(k), bytes.Clone(v)})
	w.bytes += len(k) + len(v)
	if len(w.batch) >= 1000 || w.bytes > 4<<20 {
		w.flush()
	}
}

func (w *writer) flush() {
	if w.err != nil || len(w.batch) == 0 {
		return
	}
	w.err = w.db.Update(func(tx *bbolt.Tx) error {
		for _, r := range w.batch {
			b, err := tx.CreateBucketIfNotExists([]byte(r.path[0]))
			for _, name := range r.path[1:] {
				if err == nil {
					b, err = b.CreateBucketIfNotExists([]byte(name))
				}
			}
			if err != nil {
				return err
			}
			if b.Get(r.k) == nil && r.path[0] == string(bucketQueue) {
				w.counts[r.path[1]]++
			}
			if b.Get(r.k) == nil && r.path[0] != string(bucketMeta) && r.path[0] != string(bucketRecent) {
				w.saved++
			}
			if err := b.Put(r.k, r.v); err != nil {
				return err
			}
		}
		return nil
	})
	w.batch, w.bytes = w.batch[:0], 0
}

// openSound opens the file, and where it is damaged puts it aside and goes on with what is readable.
func openSound(path string, now time.Time) (*bbolt.DB, *Recovery, error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		db, err := guarded(path)
		return db, nil, err
	}
	if err != nil {
		return nil, nil, err
	}
	// Nobody else may be writing while it is looked at: bbolt's lock is taken first.
	unlock, err := lock(path)
	if err != nil {
		return nil, nil, err
	}
	cause := inspect(path)
	if info.Size() == 0 {
		cause = errors.New("it is empty")
	}
	unlock()
	if cause == nil {
		db, err := guarded(path)
		if err == nil || errors.Is(err, bolterrors.ErrTimeout) {
			return db, nil, err
		}
		if full := asFull(err); errors.Is(full, ErrFull) || errors.Is(err, os.ErrPermission) {
			return nil, nil, err
		}
		cause = err
	}
	if errors.Is(cause, os.ErrPermission) {
		return nil, nil, cause
	}
	fresh := path + ".salvaged"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, nil, err
	}
	saved, places, err := salvage(path, fresh, now)
	if err != nil {
		_ = os.Remove(fresh)
		return nil, nil, fmt.Errorf("the spool is damaged (%w), and what is readable cannot be saved: %w", cause, err)
	}
	rec := &Recovery{Damaged: path + ".corrupt-" + now.UTC().Format("20060102T150405.000"), Cause: cause.Error(), Saved: saved, Places: places}
	if err := os.Rename(path, rec.Damaged); err != nil {
		return nil, nil, err
	}
	if err := os.Rename(fresh, path); err != nil {
		return nil, nil, err
	}
	keepNewest(path)
	if err := syncDir(filepath.Dir(path)); err != nil {
		return nil, nil, err
	}
	db, err := guarded(path)
	return db, rec, err
}

// maxDamaged is how many damaged files are kept: a disk that keeps damaging must not fill up with them.
const maxDamaged = 5

func keepNewest(path string) {
	old, _ := filepath.Glob(path + ".corrupt-*")
	slices.Sort(old)
	for len(old) > maxDamaged {
		_ = os.Remove(old[0])
		old = old[1:]
	}
}

// guarded opens the file by bbolt and turns its panics, also those over memory that the file doesn't
// reach, into errors.
func guarded(path string) (db *bbolt.DB, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			db, err = nil, fmt.Errorf("it cannot be opened: %v", p)
		}
	}()
	return bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: 2 * time.Second,
		// The list of free pages is rebuilt at start instead of written at every commit: after a large
		// backlog it would be most of what is written.
		NoFreelistSync: true,
		FreelistType:   bbolt.FreelistMapType,
		// Growing the mapping stops all readers; one of this size is address space, not memory.
		InitialMmapSize: 1 << 28,
	})
}

// Damaged is where records are put that can't be read.
const Damaged = "damaged"

// maxPutAside bounds the records that are kept for an inspection; more are counted only.
const maxPutAside = 1000

// Sweep puts aside every record that can't be read: those that valid refuses, and queued ones without
// their header. It returns how many there were, by collection. Counts are set right.
func (s *Store) Sweep(valid func(collection string, k, v []byte) error) (map[string]int, error) {
	type place struct {
		path []string
		k, v []byte
	}
	own := []string{string(bucketMeta), string(bucketQueue), string(bucketCounts), string(bucketRecent), Damaged}
	found := map[string]int{}
	for {
		var bad []place
		counts := map[string]int64{}
		more := false
		read := 0
		touched := func(n int) {
			if read += n; read > trimBytes {
				read = 0
				s.trim()
			}
		}
		err := s.View(func(t *Tx) error {
			note := func(path []string, k, v []byte) {
				if len(bad) >= 256 {
					more = true
					return
				}
				bad = append(bad, place{path, bytes.Clone(k), bytes.Clone(v)})
			}
			for _, name := range t.Collections("") {
				if slices.Contains(own, name) {
					continue
				}
				if err := t.tx.Bucket([]byte(name)).ForEach(func(k, v []byte) error {
					if len(k) == 8 {
						counts[collectionCount(name)]++
					}
					touched(len(v))
					if v != nil && valid != nil && valid(name, k, v) != nil {
						note([]string{name}, k, v)
					}
					return nil
				}); err != nil {
					return err
				}
			}
			queues := t.tx.Bucket(bucketQueue)
			return queues.ForEachBucket(func(name []byte) error {
				counts[string(name)] += 0
				return queues.Bucket(name).ForEach(func(k, v []byte) error {
					counts[string(name)]++
					touched(len(v))
					if len(k) != 8 || len(v) < 17 {
						note([]string{string(bucketQueue), string(name)}, k, v)
					}
					return nil
				})
			})
		})
		if err != nil {
			return found, err
		}
		err = s.update(func(t *Tx) error {
			is := maps.Clone(counts)
			aside, err := t.tx.CreateBucketIfNotExists([]byte(Damaged))
			if err != nil {
				return err
			}
			room := maxPutAside - aside.Stats().KeyN
			for _, p := range bad {
				b := t.tx.Bucket([]byte(p.path[0]))
				name := collectionCount(p.path[0])
				if len(p.path) > 1 {
					b, name = b.Bucket([]byte(p.path[1])), p.path[1]
				}
				if len(p.k) == 8 || len(p.path) > 1 {
					is[name]--
				}
				if err := b.Delete(p.k); err != nil {
					return err
				}
				if room--; room >= 0 {
					if err := aside.Put(fmt.Appendf(nil, "%s/%x", strings.Join(p.path, "/"), p.k), p.v); err != nil {
						return err
					}
				}
			}
			stored := t.tx.Bucket(bucketCounts)
			for name, n := range is {
				if v := stored.Get([]byte(name)); len(v) == 8 && int64(binary.BigEndian.Uint64(v)) == n {
					continue
				}
				if err := stored.Put([]byte(name), key(uint64(n))); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return found, err
		}
		for _, p := range bad {
			found[p.path[0]]++
		}
		if !more {
			return found, nil
		}
	}
}
