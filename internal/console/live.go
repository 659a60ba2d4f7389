package console

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// hub tells open pages that files have changed.
type hub struct {
	mu     sync.Mutex
	subs   map[chan event]bool
	closed bool
}

// event is a change of one dashboard's file.
type event struct {
	UID     string `json:"uid"`
	Version string `json:"version"`
	// Error is what keeps the newest content from being shown.
	Error string `json:"error,omitempty"`
}

func newHub() *hub { return &hub{subs: map[chan event]bool{}} }

func (h *hub) subscribe() (chan event, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, false
	}
	c := make(chan event, 16)
	h.subs[c] = true
	return c, true
}

func (h *hub) leave(c chan event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.subs, c)
}

func (h *hub) publish(e event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.subs {
		select {
		case c <- e:
		default: // a reader that does not read asks for everything when it comes back
		}
	}
}

func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for c := range h.subs {
		close(c)
		delete(h.subs, c)
	}
}

// eventsPath is where a page listens for as long as it is open: it takes none of the places of pages that are being made,
// and its duration says nothing.
const eventsPath = "/events"

// events streams changes to a page (server-sent events). A page that connects again gets the present version first.
func (s *Server) events(r *request) error {
	uid := r.URL.Query().Get("uid")
	c, ok := s.hub.subscribe()
	if !ok {
		return problem(http.StatusServiceUnavailable, r.t("The console is stopping."))
	}
	defer s.hub.leave(c)
	h := r.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	control := http.NewResponseController(r.w)
	send := func(e event) error {
		data, err := json.Marshal(e)
		if err != nil {
			return err
		}
		_ = control.SetWriteDeadline(time.Now().Add(10 * time.Second))
		if _, err := fmt.Fprintf(r.w, "data: %s\n\n", data); err != nil {
			return err
		}
		return control.Flush()
	}
	if err := send(s.eventOf(uid)); err != nil {
		return nil
	}
	alive := time.NewTicker(20 * time.Second)
	defer alive.Stop()
	for {
		select {
		case <-r.Context().Done():
			return nil
		case e, ok := <-c:
			if !ok {
				return nil
			}
			if e.UID == uid || uid == "" {
				if send(e) != nil {
					return nil
				}
			}
		case <-alive.C:
			_ = control.SetWriteDeadline(time.Now().Add(10 * time.Second))
			if _, err := fmt.Fprint(r.w, ":\n\n"); err != nil || control.Flush() != nil {
				return nil
			}
		}
	}
}

func (s *Server) eventOf(uid string) event {
	e := event{UID: uid}
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	if b := s.store.byUID[uid]; b != nil {
		e.Version = b.Version
		if b.Err != nil {
			e.Error = b.Err.Error()
		}
	}
	return e
}

const (
	// settle is how long files have to be quiet before they are read: an editor writes in several steps.
	settle = 40 * time.Millisecond
	// rescan finds what no notice came for: network file systems, volumes that are filled from elsewhere.
	rescan = 5 * time.Second
)

// watch follows the files until ctx ends.
func (s *Server) watch(ctx context.Context) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		s.log.Warn("files are looked at every few seconds only", "err", err)
		w = &fsnotify.Watcher{}
	} else {
		defer w.Close()
		for _, p := range s.cfg.Paths {
			watchTree(w, p)
		}
	}
	tick := time.NewTicker(rescan)
	defer tick.Stop()
	quiet := time.NewTimer(time.Hour)
	quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-w.Events:
			if !ok {
				return
			}
			if e.Has(fsnotify.Create) {
				if info, err := os.Stat(e.Name); err == nil && info.IsDir() {
					watchTree(w, e.Name)
				}
			}
			quiet.Reset(settle)
		case <-quiet.C:
			if s.rescan() {
				quiet.Reset(vanish)
			}
		case <-tick.C:
			s.rescan()
		case err, ok := <-w.Errors:
			if ok {
				s.log.Debug("watch files", "err", err)
			}
		}
	}
}

// rescan reads what has changed and tells the pages. It returns whether a file is missing that is waited for.
func (s *Server) rescan() (missing bool) {
	changed, err := s.store.scan()
	if err != nil {
		s.log.Warn("look at the dashboards again", "err", err)
		return true
	}
	slices.Sort(changed)
	for _, uid := range slices.Compact(changed) {
		s.boards.Forget(func(key string) bool { return strings.HasPrefix(key, uid+"@") })
		s.changes.Forget(func(key string) bool { return strings.HasPrefix(key, uid+"@") })
		s.hub.publish(s.eventOf(uid))
	}
	return s.store.waits()
}

// watchTree adds a directory with those below it, or the directory that a file stands in: editors replace files.
func watchTree(w *fsnotify.Watcher, root string) {
	info, err := os.Stat(root)
	if err != nil {
		return
	}
	if !info.IsDir() {
		_ = w.Add(filepath.Dir(root))
		return
	}
	_ = filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return nil
		}
		if name := e.Name(); p != root && strings.HasPrefix(name, ".") || name == "node_modules" {
			return fs.SkipDir
		}
		_ = w.Add(p)
		return nil
	})
}
