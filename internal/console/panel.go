package console

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"github.com/klauspost/compress/gzip"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"lookout/internal/render"
)

// wanted is one panel that a page wants a picture of.
type wanted struct {
	key  string
	w, h int
	only []string
}

// bodyView is a panel's body with what belongs to it.
type bodyView struct {
	R    *request
	Key  string
	Pic  *render.Picture
	Err  string
	Slow bool
	Open string
	Link func(name string) string
}

// maxPanels of one request; a page asks for those that are seen.
const maxPanels = 60

// panels streams the bodies of the wanted panels, each as a line of JSON as soon as it is there: {"key":…,"html":…}. ?p=KEY:WIDTHxHEIGHT, several times.
func (s *Server) panels(r *request) error {
	b, file, _, err := s.board(r, r.PathValue("uid"))
	if err != nil {
		return err
	}
	if b == nil {
		return problem(http.StatusConflict, r.t("%s cannot be read: %v", file.File, file.Err))
	}
	var list []wanted
	for _, p := range r.URL.Query()["p"] {
		w, ok := readWanted(p)
		if !ok || !b.Has(w.key) {
			continue // a page of before the last edit
		}
		w.only = r.URL.Query()["show-"+w.key]
		if list = append(list, w); len(list) == maxPanels {
			break
		}
	}
	r.w.Header().Set("Content-Type", "application/x-ndjson")
	r.w.Header().Set("X-Accel-Buffering", "no")
	var out io.Writer = r.w
	flush := func() { _ = http.NewResponseController(r.w).Flush() }
	if r.packs() {
		r.w.Header().Set("Content-Encoding", "gzip")
		z := gzips.Get().(*gzip.Writer)
		defer gzips.Put(z)
		z.Reset(r.w)
		out = z
		network := flush
		flush = func() { _ = z.Flush(); network() }
		defer z.Close()
	}
	lines := make(chan []byte, len(list))
	for _, w := range list {
		go func() { lines <- s.line(r, b, w) }()
	}
	for range list {
		select {
		case l := <-lines:
			if _, err := out.Write(l); err != nil {
				return nil
			}
			if len(lines) == 0 {
				flush()
			}
		case <-r.Context().Done():
			return nil
		}
	}
	return nil
}

func readWanted(s string) (wanted, bool) {
	key, size, ok := strings.Cut(s, ":")
	ws, hs, ok2 := strings.Cut(size, "x")
	w, err1 := strconv.Atoi(ws)
	h, err2 := strconv.Atoi(hs)
	if !ok || !ok2 || err1 != nil || err2 != nil {
		return wanted{}, false
	}
	return wanted{key: key, w: min(max(w, 120), 4000), h: min(max(h, 20), 4000)}, true
}

// line is one panel as a line of JSON. What is slow is said so, and the page asks again.
func (s *Server) line(r *request, b *board, w wanted) []byte {
	key := fmt.Sprintf("%s|%s|%d|%d|%q|%s", b.key, w.key, w.w, w.h, w.only, r.Lang)
	// The links in a legend carry the reader's parameters.
	key += "|" + r.URL.Query().Get("path") + "|" + linkQuery(r).Encode()
	limit, cancel := context.WithTimeout(r.wait, askTimeout)
	defer cancel()
	data, from, err := s.drawn.Do(limit, key, 10*time.Second, func(ctx context.Context) ([]byte, int, error) {
		pic, err := b.Draw(ctx, w.key, render.DrawOptions{Width: w.w, Height: w.h, Only: w.only, Lines: b.linesOf(w.key)})
		if err != nil {
			return nil, 0, err
		}
		line, err := s.body(r, b, w, &bodyView{Pic: pic})
		return line, len(line), err
	})
	s.metrics.drawn.WithLabelValues(string(from)).Inc()
	if err != nil {
		view := &bodyView{Err: reason(err)}
		if errors.Is(err, context.DeadlineExceeded) {
			view.Slow = true
		}
		if s.prom != nil {
			view.Err = s.silent(r, err)
		}
		if data, err = s.body(r, b, w, view); err != nil {
			return []byte("{}\n")
		}
	}
	return data
}

func (s *Server) body(r *request, b *board, w wanted, view *bodyView) ([]byte, error) {
	view.R, view.Key = r, w.key
	q := linkQuery(r)
	path := s.base + "/d/" + escape(b.file.UID)
	view.Link = func(name string) string {
		q := cloneValues(q)
		if len(w.only) == 1 && w.only[0] == name {
			q.Del("show-" + w.key)
		} else {
			q["show-"+w.key] = []string{name}
		}
		return path + "?" + q.Encode()
	}
	var html bytes.Buffer
	if err := s.pages.part(&html, r.Lang, "body", view); err != nil {
		return nil, err
	}
	line, err := json.Marshal(struct {
		Key  string `json:"key"`
		HTML string `json:"html"`
		Slow bool   `json:"slow,omitempty"`
		Bad  bool   `json:"bad,omitempty"`
	}{w.key, html.String(), view.Slow, view.Err != ""})
	return append(line, '\n'), err
}

func linkQuery(r *request) url.Values { return r.keep() }

func cloneValues(q url.Values) url.Values {
	out := make(url.Values, len(q)+1)
	for k, v := range q {
		out[k] = v
	}
	return out
}

func (b *board) linesOf(key string) []render.Line {
	key, _, _ = strings.Cut(key, "-clone-")
	id, err := strconv.ParseInt(key, 10, 64)
	if err != nil {
		return nil
	}
	return b.lines[id]
}

// values answers what a panel's curves are, in words, for the reader who points at a time.
func (s *Server) values(r *request) error {
	b, _, _, err := s.board(r, r.PathValue("uid"))
	if err != nil || b == nil {
		return cmp.Or(err, problem(http.StatusConflict, "broken"))
	}
	key := r.PathValue("key")
	if !b.Has(key) {
		return problem(http.StatusNotFound, r.t("There is no such panel."))
	}
	w, _ := strconv.Atoi(r.URL.Query().Get("w"))
	limit, cancel := context.WithTimeout(r.wait, askTimeout)
	defer cancel()
	only := r.URL.Query()["show-"+key]
	data, _, err := s.drawn.Do(limit, fmt.Sprintf("values|%s|%s|%d|%q", b.key, key, (w+199)/200, only), 5*time.Second, func(ctx context.Context) ([]byte, int, error) {
		v, err := b.Values(ctx, key, render.DrawOptions{Width: min(max(w, 120), 4000), Height: 200, Only: only})
		if err != nil {
			return nil, 0, err
		}
		data, err := json.Marshal(v)
		return data, len(data), err
	})
	if err != nil {
		// The picture says what is wrong; whoever points at it asks again.
		data = []byte(`{"times":[],"series":[],"slow":true}`)
	}
	return r.write(http.StatusOK, "application/json", data)
}

// picture is one panel as an SVG of its own, legend and all, for readers without a script.
func (s *Server) picture(r *request) error {
	b, file, _, err := s.board(r, r.PathValue("uid"))
	if err != nil {
		return err
	}
	if b == nil {
		return problem(http.StatusConflict, r.t("%s cannot be read: %v", file.File, file.Err))
	}
	key := r.PathValue("key")
	if !b.Has(key) {
		return problem(http.StatusNotFound, r.t("There is no such panel."))
	}
	q := r.URL.Query()
	want, ok := readWanted(key + ":" + q.Get("w") + "x" + q.Get("h"))
	if !ok {
		want = wanted{key: key, w: 600, h: 300}
	}
	o := render.DrawOptions{Width: want.w, Height: want.h, Only: q["show-"+key], Lines: b.linesOf(key), Whole: true}
	limit, cancel := context.WithTimeout(r.wait, askTimeout)
	defer cancel()
	data, _, err := s.drawn.Do(limit, fmt.Sprintf("svg|%s|%s|%d|%d|%q", b.key, key, want.w, want.h, o.Only), 10*time.Second, func(ctx context.Context) ([]byte, int, error) {
		pic, err := b.Draw(ctx, key, o)
		if err != nil {
			return nil, 0, err
		}
		return pic.SVG, len(pic.SVG), nil
	})
	if err != nil {
		data = render.Message(want.w, want.h, r.drawTheme(), s.silent(r, err))
	}
	r.w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	return r.write(http.StatusOK, "image/svg+xml", data)
}

// entryView is a series in a legend with the address that shows it alone, or all again.
type entryView struct {
	render.LegendEntry
	URL string
}

// Entry is for templates.
func (v *bodyView) Entry(e render.LegendEntry) entryView { return entryView{e, v.Link(e.Name)} }
