package console

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
)

// targetsView is the page of what is scraped.
type targetsView struct {
	None     bool
	Err      string
	Query    string
	Down     bool
	Pools    []poolView
	Up, Bad  int
	Dropped  int
	Prom     string
	Answered time.Time
}

type poolView struct {
	Name    string
	Up, Bad int
	Targets []targetLine
}

type targetLine struct {
	v1.ActiveTarget
	Labels   []label
	Took     time.Duration
	URL      string
	Up       bool
	Waiting  bool
	Instance string
}

func (s *Server) targetsPage(r *request) error {
	q := r.URL.Query()
	view := &targetsView{None: s.prom == nil, Query: strings.TrimSpace(q.Get("q")), Down: q.Get("down") != ""}
	if s.prom != nil {
		view.Prom = s.prom.Address()
		limit, cancel := context.WithTimeout(r.wait, askTimeout)
		defer cancel()
		found, err := s.prom.Targets(limit)
		if err != nil {
			view.Err = s.silent(r, err)
		}
		view.Dropped = len(found.Dropped)
		view.add(found.Active)
	}
	return r.render(http.StatusOK, "targets", r.t("Targets"), view)
}

func (v *targetsView) add(active []v1.ActiveTarget) {
	words := strings.Fields(strings.ToLower(v.Query))
	pools := map[string]*poolView{}
	for _, t := range active {
		line := targetLine{ActiveTarget: t, Labels: labelsOf(t.Labels), Took: seconds(t.LastScrapeDuration).Round(100 * time.Microsecond), URL: redact(t.ScrapeURL), Instance: string(t.Labels["instance"]),
			Up: t.Health == v1.HealthGood, Waiting: t.Health == v1.HealthUnknown}
		text := strings.ToLower(t.ScrapePool + " " + t.ScrapeURL + " " + t.Labels.String())
		if slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) }) || v.Down && line.Up {
			continue
		}
		p := pools[t.ScrapePool]
		if p == nil {
			p = &poolView{Name: t.ScrapePool}
			pools[t.ScrapePool] = p
		}
		if line.Up {
			p.Up++
			v.Up++
		} else {
			p.Bad++
			v.Bad++
		}
		p.Targets = append(p.Targets, line)
	}
	for _, p := range pools {
		slices.SortFunc(p.Targets, func(a, b targetLine) int {
			if a.Up != b.Up {
				if b.Up {
					return -1
				}
				return 1
			}
			return cmp.Or(cmp.Compare(a.Instance, b.Instance), cmp.Compare(a.ScrapeURL, b.ScrapeURL))
		})
		v.Pools = append(v.Pools, *p)
	}
	slices.SortFunc(v.Pools, func(a, b poolView) int {
		return cmp.Or(cmp.Compare(min(b.Bad, 1), min(a.Bad, 1)), cmp.Compare(a.Name, b.Name))
	})
}

func redact(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Redacted()
}
