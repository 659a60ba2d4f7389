package console

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/s2"

	"lookout/internal/dashboard"
)

// boardFile is what is known of one dashboard file without holding it in memory.
type boardFile struct {
	// UID is the dashboard's, or a name made from the path if it has none or another file has it already.
	UID, Title, Folder string
	Tags               []string
	File               string
	// Version names the content.
	Version string
	// Err is what keeps the newest content from being shown; the one before is shown then, if there was one.
	Err error
	// Panels is how many there are.
	Panels int
	// Expr is the expression of a page that draws one; such a page has no file.
	Expr string

	modified time.Time
	size     int64
	// packed is the last content that could be read. Pages are made of it and not of the file, which an editor may be writing this very moment.
	packed []byte
	// gone is since when the file is missing: an editor that saves by removing and writing anew takes nothing off the screen.
	gone time.Time
}

// store knows the dashboard files.
type store struct {
	paths []string
	log   *slog.Logger

	mu     sync.Mutex
	byFile map[string]*boardFile
	byUID  map[string]*boardFile
	sorted []*boardFile
	// loaded are the dashboards that were looked at last, by uid and version.
	loaded map[string]*loadedBoard
	clock  int64
	// missing says that a file is gone and its dashboard not yet.
	missing bool
}

type loadedBoard struct {
	d    *dashboard.Dashboard
	used int64
	size int
}

// loadedBytes bounds the sources of dashboards in memory; the model takes several times as much.
const loadedBytes = 1 << 20

// vanish is how long a file may be missing before its dashboard goes.
const vanish = time.Second

func newStore(paths []string, log *slog.Logger) (*store, error) {
	s := &store{paths: paths, log: log, byFile: map[string]*boardFile{}, byUID: map[string]*boardFile{}, loaded: map[string]*loadedBoard{}}
	if _, err := s.scan(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *store) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sorted)
}

// broken is how many files cannot be read.
func (s *store) broken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, b := range s.sorted {
		if b.Err != nil {
			n++
		}
	}
	return n
}

// list is all dashboards by folder and title. The entries are copies.
func (s *store) list() []boardFile {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]boardFile, len(s.sorted))
	for i, b := range s.sorted {
		out[i] = *b
	}
	return out
}

// scan looks at the files again and returns the uids whose content is new, gone or broken. Where missing is set afterwards, it has to look once more after [vanish].
func (s *store) scan() (changed []string, err error) {
	found, err := dashboard.Find(s.paths)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := map[string]bool{}
	for _, file := range found.Files {
		info, err := os.Stat(file)
		if err != nil {
			continue // it went while we looked
		}
		seen[file] = true
		old := s.byFile[file]
		if old != nil && old.modified.Equal(info.ModTime()) && old.size == info.Size() {
			continue
		}
		b := s.read(file, info, old, found.Named[file])
		if b == nil { // JSON that is not a dashboard
			s.byFile[file] = &boardFile{File: file, modified: info.ModTime(), size: info.Size()}
			if old != nil && old.UID != "" {
				changed = append(changed, old.UID)
			}
			continue
		}
		if old != nil && old.Version == b.Version && (old.Err == nil) == (b.Err == nil) && b.Err == nil {
			b.UID = old.UID
			s.byFile[file] = b
			continue
		}
		s.byFile[file] = b
		changed = append(changed, b.UID)
		if old != nil && old.UID != b.UID && old.UID != "" {
			changed = append(changed, old.UID)
		}
	}
	s.missing = false
	for file, b := range s.byFile {
		switch {
		case seen[file]:
			b.gone = time.Time{}
		case b.UID != "" && b.gone.IsZero():
			b.gone, s.missing = time.Now(), true
		case b.UID != "" && time.Since(b.gone) < vanish:
			s.missing = true
		default:
			delete(s.byFile, file)
			if b.UID != "" {
				changed = append(changed, b.UID)
			}
		}
	}
	s.index()
	return changed, nil
}

// waits tells whether a file is missing whose dashboard is still shown.
func (s *store) waits() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.missing
}

// read reads one file; nil if it is JSON of another kind.
func (s *store) read(file string, info fs.FileInfo, old *boardFile, named bool) *boardFile {
	b := &boardFile{File: file, Folder: s.folder(file), modified: info.ModTime(), size: info.Size()}
	data, err := os.ReadFile(file)
	var d *dashboard.Dashboard
	if err == nil {
		d, err = dashboard.Load(filepath.ToSlash(file), data)
	}
	sum := sha256.Sum256(data)
	b.Version = hex.EncodeToString(sum[:8])
	if errors.Is(err, dashboard.ErrNotDashboard) && !named && (old == nil || old.UID == "") {
		return nil
	}
	if err != nil {
		b.Err = err
		b.UID, b.Title = pathUID(file), path.Base(filepath.ToSlash(file))
		if old != nil && old.UID != "" {
			b.UID, b.Title, b.Tags, b.Panels, b.packed = old.UID, old.Title, old.Tags, old.Panels, old.packed
		}
		return b
	}
	// A copy: what Encode returns holds on to room for content that cannot be packed.
	b.packed = bytes.Clone(s2.Encode(nil, data))
	// Texts are parts of the source; copies let go of it.
	b.UID, b.Title = strings.Clone(cmp.Or(d.UID, pathUID(file))), strings.Clone(d.Name())
	for _, t := range d.Root.Get("tags").Items() {
		b.Tags = append(b.Tags, strings.Clone(t.Text()))
	}
	for _, p := range d.Panels {
		if !p.IsRow() {
			b.Panels++
		}
	}
	return b
}

// pathUID names a dashboard that has no uid.
func pathUID(file string) string {
	sum := sha256.Sum256([]byte(filepath.ToSlash(file)))
	return "file-" + hex.EncodeToString(sum[:5])
}

// folder is the directory a file stands in, from the directory that was named.
func (s *store) folder(file string) string {
	for _, p := range s.paths {
		rel, err := filepath.Rel(p, file)
		if err == nil && rel != "." && !strings.HasPrefix(rel, "..") {
			if dir := path.Dir(filepath.ToSlash(rel)); dir != "." {
				return dir
			}
			return ""
		}
	}
	return ""
}

// index sorts what is there; the first of two files with one uid keeps it.
func (s *store) index() {
	s.byUID, s.sorted = map[string]*boardFile{}, s.sorted[:0:0]
	for _, b := range s.byFile {
		if b.UID != "" {
			s.sorted = append(s.sorted, b)
		}
	}
	slices.SortFunc(s.sorted, func(a, b *boardFile) int {
		return cmp.Or(cmp.Compare(a.Folder, b.Folder), cmp.Compare(strings.ToLower(a.Title), strings.ToLower(b.Title)), cmp.Compare(a.File, b.File))
	})
	for _, b := range s.sorted {
		if s.byUID[b.UID] != nil {
			b.UID = pathUID(b.File)
		}
		s.byUID[b.UID] = b
	}
}

var errNoBoard = errors.New("there is no such dashboard")

// load gives a dashboard and what is known of its file. If the newest content is broken it is the one before, and nil if there was none.
func (s *store) load(uid string) (*dashboard.Dashboard, boardFile, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.byUID[uid]
	if b == nil {
		return nil, boardFile{}, errNoBoard
	}
	s.clock++
	key := uid + "@" + b.Version
	if l := s.loaded[key]; l != nil {
		l.used = s.clock
		return l.d, *b, nil
	}
	data, err := b.content()
	if err != nil {
		return nil, *b, err
	}
	if data == nil {
		return nil, *b, nil
	}
	d, err := dashboard.Load(filepath.ToSlash(b.File), data)
	if err != nil {
		return nil, *b, fmt.Errorf("read %s again: %w", b.File, err)
	}
	size := len(data)
	s.loaded[key] = &loadedBoard{d, s.clock, size}
	s.forget(key)
	return d, *b, nil
}

// content is what could last be read of the file, nil if that is nothing.
func (b *boardFile) content() ([]byte, error) {
	if b.packed == nil {
		return nil, nil
	}
	data, err := s2.Decode(nil, b.packed)
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", b.File, err)
	}
	return data, nil
}

// find gives what is known of a dashboard's file.
func (s *store) find(uid string) (boardFile, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.byUID[uid]; b != nil {
		return *b, nil
	}
	return boardFile{}, errNoBoard
}

// forget lets go of the dashboards that were looked at longest ago.
func (s *store) forget(keep string) {
	for {
		total, oldest := 0, ""
		for k, l := range s.loaded {
			total += l.size
			if k != keep && (oldest == "" || l.used < s.loaded[oldest].used) {
				oldest = k
			}
		}
		if total <= loadedBytes || oldest == "" {
			return
		}
		delete(s.loaded, oldest)
	}
}

// has tells whether there is a dashboard of that uid.
func (s *store) has(uid string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byUID[uid] != nil
}
