// Package catalog takes published dashboards in: it fetches them from a catalogue, an address or a file, turns the published form (with __inputs to be
// filled in) into one of ours, and keeps book of where each came from.
package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"lookout/internal/dashboard"
	"lookout/internal/source"
)

// Published is a dashboard as its authors published it.
type Published struct {
	// Origin is the number in the catalogue, the address, or the path it came from.
	Origin string
	// Revision is the catalogue's, 0 if there is none.
	Revision int
	Data     []byte
}

// SHA256 is the checksum of the published bytes, in hexadecimal.
func (p *Published) SHA256() string {
	sum := sha256.Sum256(p.Data)
	return hex.EncodeToString(sum[:])
}

// Source fetches dashboards.
type Source struct {
	// Catalogue is the address of the catalogue's API: below it are dashboards/{id} and dashboards/{id}/revisions/{n}/download, as on
	// https://grafana.com/api.
	Catalogue string
	Client    *http.Client
}

// page is the address of a dashboard's page on grafana.com, which holds its number.
var page = regexp.MustCompile(`^https://grafana\.com/(?:grafana/|[a-z-]+/grafana/)?dashboards/([0-9]+)(?:[-/].*)?$`)

// Fetch gets a dashboard by number, address or path. revision 0 is the newest; only a catalogue has others.
func (s *Source) Fetch(ctx context.Context, origin string, revision int) (*Published, error) {
	if m := page.FindStringSubmatch(origin); m != nil {
		origin = m[1]
	}
	if id, err := strconv.ParseUint(origin, 10, 32); err == nil {
		return s.fromCatalogue(ctx, id, revision)
	}
	if revision != 0 {
		return nil, fmt.Errorf("--revision %d: only a catalogue has revisions; %q is an address or a file", revision, origin)
	}
	if strings.HasPrefix(origin, "http://") || strings.HasPrefix(origin, "https://") {
		data, err := s.get(ctx, origin)
		return &Published{Origin: origin, Data: data}, err
	}
	if info, err := os.Stat(origin); err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s is a directory; name a file, an address (https://…) or a number in the catalogue", origin)
	}
	data, err := source.ReadFile(origin, nil)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%q is not a file, and neither an address (https://…) nor a number in the catalogue", origin)
	}
	return &Published{Origin: filepath.ToSlash(filepath.Clean(origin)), Data: data}, err
}

func (s *Source) fromCatalogue(ctx context.Context, id uint64, revision int) (*Published, error) {
	base, err := url.Parse(s.Catalogue)
	if err != nil || base.Host == "" {
		return nil, fmt.Errorf("the catalogue's address is %q; it must begin with http:// or https://", s.Catalogue)
	}
	//lint:ignore G125 numbers
	at := base.JoinPath("dashboards", strconv.FormatUint(id, 10))
	if revision == 0 {
		data, err := s.get(ctx, at.String())
		if err != nil {
			return nil, fmt.Errorf("dashboard %d: %w", id, err)
		}
		doc, err := dashboard.Parse(at.String(), data)
		if err != nil {
			return nil, err
		}
		n, ok := doc.Root.Get("revision").Int()
		if !ok || n < 1 {
			return nil, fmt.Errorf("dashboard %d: the catalogue names no revision; give --revision", id)
		}
		revision = int(n)
	}
	//lint:ignore G125 numbers
	data, err := s.get(ctx, at.JoinPath("revisions", strconv.Itoa(revision), "download").String())
	if err != nil {
		return nil, fmt.Errorf("dashboard %d, revision %d: %w", id, revision, err)
	}
	return &Published{Origin: strconv.FormatUint(id, 10), Revision: revision, Data: data}, nil
}

// maxPublished is far above any dashboard that Grafana takes.
const maxPublished = 32 << 20

func (s *Source) get(ctx context.Context, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	res, err := s.Client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", address, res.Status)
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, maxPublished+1))
	if err == nil && len(data) > maxPublished {
		err = fmt.Errorf("%s is larger than %d MiB", address, maxPublished>>20)
	}
	return data, err
}
