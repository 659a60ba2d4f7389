package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"lookout/internal/dashboard"
	"lookout/internal/diff"
	"lookout/internal/render"
)

// changeView is what a dashboard's file changes against the last commit.
type changeView struct {
	File          boardFile
	Events        []diff.Event
	Before, After []byte
	// None says that nothing of meaning changed.
	None bool
	Err  string
}

// changesPage shows a dashboard before and after, with what changed in words.
func (s *Server) changesPage(r *request) error {
	d, file, err := s.store.load(r.PathValue("uid"))
	if errors.Is(err, errNoBoard) {
		return problem(http.StatusNotFound, r.t("There is no dashboard with the uid “%s”.", r.PathValue("uid")))
	}
	if err != nil {
		return err
	}
	if d == nil {
		return r.render(http.StatusOK, "broken", file.Title, file)
	}
	opts, _ := s.boardOptions(r, d)
	opts.Width = 1200
	key := fmt.Sprintf("%s@%s|%s|%d", file.UID, file.Version, opts.Theme, opts.Now.Unix())
	view, _, err := s.changes.Do(r.Context(), key, 5*time.Second, func(ctx context.Context) (*changeView, int, error) {
		v := s.compare(ctx, file, opts)
		return v, len(v.Before) + len(v.After) + 1024, nil
	})
	if err != nil {
		return err
	}
	return r.render(http.StatusOK, "changes", r.t("Changes of %s", file.Title), view)
}

func (s *Server) compare(ctx context.Context, file boardFile, opts render.Options) *changeView {
	view := &changeView{File: file}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	before, err := committed(ctx, file.File)
	if err != nil {
		view.Err = err.Error()
		return view
	}
	if file.Err != nil {
		view.Err = file.Err.Error()
		return view
	}
	data, err := file.content()
	if err != nil {
		view.Err = err.Error()
		return view
	}
	pair := diff.Pair{File: filepath.ToSlash(file.File)}
	if pair.After, err = dashboard.Load(pair.File, data); err != nil {
		view.Err = err.Error()
		return view
	}
	if before != nil {
		if pair.Before, err = dashboard.Load(pair.File, before); err != nil {
			view.Err = "HEAD: " + err.Error()
			return view
		}
	}
	view.Events = diff.New().Dashboards(pair.Before, pair.After).Events
	view.None = len(view.Events) == 0
	if view.None {
		return view
	}
	view.Before, view.After, err = diff.Pictures(ctx, pair, view.Events, opts)
	if err != nil && opts.Prometheus != nil {
		// Prometheus does not answer; what changed can be shown without its numbers.
		opts.Prometheus = nil
		view.Before, view.After, err = diff.Pictures(context.WithoutCancel(ctx), pair, view.Events, opts)
	}
	if err != nil {
		view.Err = err.Error()
	}
	return view
}

// committed is a file as it was in the last commit; nil if it is new. The error says that there is no repository.
func committed(ctx context.Context, file string) ([]byte, error) {
	abs, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		abs = real
	}
	dir, name := filepath.Split(abs)
	git := func(args ...string) ([]byte, error) {
		var out, problem bytes.Buffer
		cmd := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...)
		cmd.Stdout, cmd.Stderr = &out, &problem
		if err := cmd.Run(); err != nil {
			if text := strings.TrimSpace(problem.String()); text != "" {
				err = fmt.Errorf("git: %s", text)
			}
			return nil, err
		}
		return out.Bytes(), nil
	}
	if _, err := git("rev-parse", "--verify", "--quiet", "HEAD^{commit}"); err != nil {
		return nil, fmt.Errorf("%s is not in a git repository with a commit, so there is nothing to compare with: %w", file, err)
	}
	if _, err := git("cat-file", "-e", "HEAD:./"+name); err != nil {
		return nil, nil
	}
	return git("cat-file", "blob", "HEAD:./"+name)
}

// inRepository tells whether the files are in a git working tree that has a commit.
func inRepository(paths []string) bool {
	for _, p := range paths {
		dir := p
		if info, err := os.Stat(p); err != nil || !info.IsDir() {
			dir = filepath.Dir(p)
		}
		if exec.Command("git", "-C", dir, "rev-parse", "--verify", "--quiet", "HEAD^{commit}").Run() == nil {
			return true
		}
	}
	return false
}
