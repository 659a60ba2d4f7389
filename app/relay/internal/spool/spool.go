// Package spool keeps on disk what has been accepted and not yet delivered.
//
// It is a thin layer over bbolt that adds three things: a group commit (all changes that wait while
// one transaction is synced share the next one), a steady clock that survives restarts, and an
// answer to a full disk.
package spool

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
	"golang.org/x/sys/unix"
)

// Errors that callers tell apart.
var (
	// ErrFull: the disk has no room. The sender keeps the notification and tries again.
	ErrFull = errors.New("the spool's disk is full")
	// ErrClosed: the relay is shutting down.
	ErrClosed = errors.New("the spool is closed")
)

// maxBatch bounds how many changes share a transaction, which bounds its memory.
const maxBatch = 512

// maxRecent and maxRecentAlerts bound how many notifications are remembered to recognise repeated ones.
const (
	maxRecent       = 20_000
	maxRecentAlerts = 100_000
)

// maxBatchBytes bounds what a transaction holds in memory, as far as the changes say how large they are.
const maxBatchBytes = 8 << 20

// anchorEvery is how often the clocks are tied together in the store.
const anchorEvery = 30 * time.Second

var (
	bucketMeta   = []byte("meta")
	bucketQueue  = []byte("queue")
	bucketCounts = []byte("counts")
	bucketRecent = []byte("recent")
)

// Options of Open. Zero values are usable but for Clock.
type Options struct {
	Clock Clock
	Log   *slog.Logger
	// Reserve is how many bytes of the disk are left free for the relay's own bookkeeping: a store
	// that copies on write needs room even to delete.
	Reserve int64
	// DuplicateWindow is how long an identical notification for the same target is taken for the
	// sender's repetition of a call whose answer got lost.
	DuplicateWindow time.Duration
	// OnCommit is told how long each transaction took and how many changes shared it.
	OnCommit func(took time.Duration, changes int)
}

// Store is an open spool. It may be used concurrently.
type Store struct {
	db      *bbolt.DB
	path    string
	opts    Options
	ops     chan *op
	closing chan struct{}
	done    chan struct{}
	once    sync.Once
	salt    []byte
	anchor  anchor
	// pageSize is asked for once: later the mapping may be moving.
	pageSize int
	// Recovery is set where Open found the spool damaged.
	Recovery *Recovery

	// Owned by the committing goroutine.
	recent     map[[16]byte]recentEntry
	recentRing []recentKey
	// recentAlerts is how many alerts those in the ring hold, owner the body that each came in last.
	recentAlerts int
	owner        map[uint64]recentKey
	lastAnchor   time.Duration
}

type recentEntry struct {
	seq uint64
	at  time.Duration
}

type recentKey struct {
	hash [16]byte
	recentEntry
	alerts []uint64
}

type op struct {
	fn   func(*Tx) error
	size int
	err  chan error
}

// Open opens or creates the spool at path.
func Open(path string, o Options) (*Store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("create the spool's directory: %w", err)
	}
	db, recovery, err := openSound(path, o.Clock.Now())
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("the spool %s is in use by another relay", path)
	}
	if err != nil {
		return nil, fmt.Errorf("open the spool %s: %w", path, asFull(err))
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("sync the spool's directory: %w", err)
	}
	s := &Store{
		db: db, path: path, opts: o,
		ops: make(chan *op, maxBatch), closing: make(chan struct{}), done: make(chan struct{}),
		recent: map[[16]byte]recentEntry{}, owner: map[uint64]recentKey{}, pageSize: db.Info().PageSize, Recovery: recovery,
	}
	if err := s.load(); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("read the spool %s: %w", path, asFull(err))
	}
	s.trim()
	go s.commitLoop()
	return s, nil
}

func (s *Store) load() error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketMeta, bucketQueue, bucketCounts, bucketRecent} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		meta := tx.Bucket(bucketMeta)
		if v := meta.Get([]byte("salt")); len(v) == 16 {
			s.salt = append([]byte{}, v...)
		} else {
			s.salt = make([]byte, 16)
			rand.Read(s.salt)
			if err := meta.Put([]byte("salt"), s.salt); err != nil {
				return err
			}
		}
		var a anchor
		if v := meta.Get([]byte("anchor")); v != nil {
			// Without it the clock starts anew; what waits then counts as having just come.
			_ = json.Unmarshal(v, &a)
		}
		s.anchor = anchor{Boot: s.opts.Clock.Boot, Uptime: s.opts.Clock.Uptime(), Wall: s.opts.Clock.Now(), Steady: a.resume(s.opts.Clock)}
		if err := putJSON(meta, []byte("anchor"), s.anchor); err != nil {
			return err
		}
		s.lastAnchor = s.anchor.Steady
		return tx.Bucket(bucketRecent).ForEach(func(k, v []byte) error {
			if len(k) == 8 && len(v) >= 24 && len(v)%8 == 0 {
				e := recentKey{recentEntry: recentEntry{seq: binary.BigEndian.Uint64(k), at: time.Duration(binary.BigEndian.Uint64(v))}}
				copy(e.hash[:], v[8:])
				for rest := v[24:]; len(rest) > 0; rest = rest[8:] {
					e.alerts = append(e.alerts, binary.BigEndian.Uint64(rest))
				}
				s.learn(e)
				s.recentRing = append(s.recentRing, e)
			}
			return nil
		})
	})
}

// Salt is random, made with the store and the same for its life.
func (s *Store) Salt() []byte { return s.salt }

// Steady is the time since the store was made by a clock that doesn't jump.
func (s *Store) Steady() time.Duration {
	return s.anchor.Steady + s.opts.Clock.Uptime() - s.anchor.Uptime
}

// Wall is the wall-clock time, for showing.
func (s *Store) Wall() time.Time { return s.opts.Clock.Now() }

// Close waits for what is being written.
func (s *Store) Close() error {
	s.once.Do(func() { close(s.closing) })
	<-s.done
	return s.db.Close()
}

// Update runs fn in a transaction that it may share with others, and returns once it is on disk.
// fn may run more than once, so it must not change anything but its Tx and variables it sets
// afresh. Other changes of the same transaction survive fn's error.
func (s *Store) Update(ctx context.Context, fn func(*Tx) error) error {
	return s.UpdateSize(ctx, 0, fn)
}

// UpdateSize is Update for a change that writes about size bytes, so that what shares a transaction stays
// within bounds.
func (s *Store) UpdateSize(ctx context.Context, size int, fn func(*Tx) error) error {
	o := &op{fn: fn, size: size, err: make(chan error, 1)}
	select {
	case s.ops <- o:
	case <-s.closing:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	// From here on the change may happen, so the caller waits to learn whether it did.
	case err := <-o.err:
		return err
	case <-s.done:
		select {
		case err := <-o.err:
			return err
		default:
			return ErrClosed
		}
	}
}

func (s *Store) update(fn func(*Tx) error) error { return s.Update(context.Background(), fn) }

// View runs fn on a consistent state.
func (s *Store) View(fn func(*Tx) error) error {
	return s.db.View(func(tx *bbolt.Tx) error { return fn(&Tx{tx: tx, s: s}) })
}

// trimEvery is after how many transactions the mapping is trimmed, trimBytes after how many bytes at the latest.
const (
	trimEvery = 64
	trimBytes = 4 << 20
)

// Trim is for after much was read at once.
func (s *Store) Trim() { s.trim() }

// trim takes the pages of the file out of the process's memory. They stay in the kernel's cache, from
// which they come back in microseconds when needed; without this every page that was ever looked at
// counts as the relay's memory, and a container's limit would kill it over a backlog.
func (s *Store) trim() {
	// The transaction keeps the mapping where it is.
	_ = s.db.View(func(tx *bbolt.Tx) error {
		_, _, errno := unix.Syscall(unix.SYS_MADVISE, s.db.Info().Data, uintptr(tx.Size()), unix.MADV_DONTNEED)
		if errno != 0 {
			return errno
		}
		return nil
	})
}

// pace is the least time from the start of a transaction to that of the next while changes come so
// quickly that they share transactions. At the promised 2,000 a second a relay that starts the next one at
// once makes a thousand small ones: a quarter more processor time, and no less waiting for the slowest
// percent. A change that comes alone never waits for it.
const pace = 2 * time.Millisecond

func (s *Store) commitLoop() {
	defer close(s.done)
	var began time.Time
	shared := false
	written := 0
	for n := 1; ; n++ {
		if n%trimEvery == 0 || written > trimBytes {
			s.trim()
			written = 0
		}
		select {
		case o := <-s.ops:
			if shared {
				time.Sleep(pace - time.Since(began))
			}
			began = time.Now()
			batch := []*op{o}
		drain:
			for size := o.size; len(batch) < maxBatch && size < maxBatchBytes; {
				select {
				case o := <-s.ops:
					batch = append(batch, o)
					size += o.size
				default:
					break drain
				}
			}
			shared = len(batch) > 1
			for _, o := range batch {
				written += o.size
			}
			s.commit(batch)
		case <-s.closing:
			return
		}
	}
}

// commit brings a batch to disk in one transaction; a change that fails is left out and the others
// are run again.
func (s *Store) commit(batch []*op) {
	began := time.Now()
	n := len(batch)
	for len(batch) > 0 {
		failed := -1
		var t *Tx
		err := s.db.Update(func(tx *bbolt.Tx) error {
			t = &Tx{tx: tx, s: s, counts: map[string]int64{}, owner: map[uint64]recentKey{}, gone: map[uint64][16]byte{}}
			for i, o := range batch {
				if err := o.fn(t); err != nil {
					failed = i
					return err
				}
			}
			return t.finish()
		})
		if failed >= 0 {
			batch[failed].err <- asFull(err)
			batch = append(batch[:failed], batch[failed+1:]...)
			continue
		}
		if err == nil {
			t.remember()
		} else if s.opts.Log != nil {
			s.opts.Log.Error("the spool could not be written", "error", err, "changes", len(batch))
		}
		for _, o := range batch {
			o.err <- asFull(err)
		}
		break
	}
	if s.opts.OnCommit != nil {
		s.opts.OnCommit(time.Since(began), n)
	}
}

// Space returns how many bytes the store's file has and how many the disk has left.
func (s *Store) Space() (size, free int64, err error) {
	info, err := os.Stat(s.path)
	if err != nil {
		return 0, 0, err
	}
	free, err = s.free()
	return info.Size(), free, err
}

// free is how many bytes the disk has left. It is asked for with every notification.
func (s *Store) free() (int64, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(s.path), &fs); err != nil {
		return 0, err
	}
	return int64(fs.Bavail) * fs.Bsize, nil
}

// Room is ErrFull when disk and file together have less than the reserve left. The file does not
// shrink: after a backlog it is the free pages inside that the next notifications go to.
func (s *Store) Room() error {
	free, err := s.free()
	if err != nil {
		return fmt.Errorf("ask for the spool's free space: %w", err)
	}
	stats := s.db.Stats()
	free += int64(stats.FreePageN) * int64(s.pageSize)
	if free < s.opts.Reserve {
		return fmt.Errorf("%w: %d MiB are left, %d MiB are kept for the relay itself", ErrFull, free>>20, s.opts.Reserve>>20)
	}
	return nil
}

func asFull(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
