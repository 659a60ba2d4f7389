package test

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"lookout/internal/dashboard"
	"lookout/internal/render"
	"lookout/test/internal/teststack"
)

// shipped are the dashboards in the stack's tree.
func (s *story) shipped(t *testing.T) []*dashboard.Dashboard {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.Tree, "dashboards", "*", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []*dashboard.Dashboard
	for _, file := range files {
		d, err := dashboard.Load(file, []byte(teststack.Read(t, file)))
		if err != nil {
			t.Fatal(err)
		}
		if d.UID == "" {
			t.Errorf("%s has no uid", file)
		}
		all = append(all, d)
	}
	if len(all) == 0 {
		t.Fatal("no dashboard is shipped")
	}
	return all
}

// requireData asks Prometheus for each target of each panel of each dashboard, in collapsed rows too and hidden ones as
// well, with its variables put in as the console and `lookout render` do, until each has had an answer with data.
func (s *story) requireData(t *testing.T) {
	t.Helper()
	client, err := api.NewClient(api.Config{Address: s.URL("prometheus")})
	if err != nil {
		t.Fatal(err)
	}
	// What shows sources of metrics that the stack need not have has data where those run.
	dashboards := slices.DeleteFunc(s.shipped(t), func(d *dashboard.Dashboard) bool {
		for _, tag := range d.Root.Get("tags").Items() {
			if tag.Text() == "optional" {
				return true
			}
		}
		return false
	})
	asked := map[string]int{}
	open := dashboards
	err = teststack.Poll(t.Context(), 2*time.Minute, time.Second, func(ctx context.Context) error {
		var still []*dashboard.Dashboard
		var problems []string
		for _, d := range open {
			n, missing, err := s.askAll(ctx, d, v1.NewAPI(client))
			if err != nil {
				return fmt.Errorf("%s: %w", d.UID, err)
			}
			asked[d.UID] = n
			if len(missing) > 0 {
				still, problems = append(still, d), append(problems, missing...)
			}
		}
		if open = still; len(open) > 0 {
			return fmt.Errorf("%d targets have no data:\n  %s", len(problems), strings.Join(problems, "\n  "))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for uid, n := range asked {
		if n == 0 {
			t.Errorf("%s has no panel that asks for anything", uid)
		}
		total += n
	}
	s.Measured(t, "%d dashboards, %d targets, all with data", len(dashboards), total)
}

// askAll asks what a dashboard asks and returns how many targets that were, and those without data.
func (s *story) askAll(ctx context.Context, d *dashboard.Dashboard, prometheus v1.API) (asked int, missing []string, err error) {
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			target.Hide = false
		}
	}
	now := time.Now()
	board, unasked, err := render.NewBoard(ctx, d, render.Options{
		Prometheus: prometheus, Start: now.Add(-5 * time.Minute), End: now, Now: now, ScrapeInterval: 2 * time.Second,
	})
	if err != nil || unasked != nil {
		return 0, nil, fmt.Errorf("its variables: %w, %w", err, unasked)
	}
	for _, v := range board.Variables() {
		if v.Err != nil {
			missing = append(missing, fmt.Sprintf("%s, variable %s: %v", d.UID, v.Name, v.Err))
		}
	}
	for _, section := range board.Sections() {
		for _, panel := range section.Panels {
			picture, err := board.Draw(ctx, panel.Key, render.DrawOptions{Width: 600, Height: 300})
			if err != nil {
				return 0, nil, fmt.Errorf("panel %q: %w", panel.Title, err)
			}
			if len(panel.Panel.Targets) != len(picture.Queries) {
				missing = append(missing, fmt.Sprintf("%s, panel %q has %d targets, and %d are asked", d.UID, panel.Title, len(panel.Panel.Targets), len(picture.Queries)))
			}
			for _, q := range picture.Queries {
				asked++
				if q.Skip != "" || q.Points == 0 {
					missing = append(missing, fmt.Sprintf("%s, panel %q, target %s: %s: %s%s", d.UID, panel.Title, q.RefID, q.Expr, q.Skip, strings.Join(picture.Problems, "; ")))
				}
			}
		}
	}
	return asked, missing, nil
}

// consoleShowsDashboards opens every dashboard's page, and asks for the body of each of its panels as the page does.
func (s *story) consoleShowsDashboards(t *testing.T) {
	dashboards := s.shipped(t)
	list, err := s.Page(t.Context(), s.URL("console")+"/dashboards")
	if err != nil {
		t.Fatal(err)
	}
	bodies := 0
	for _, d := range dashboards {
		if !strings.Contains(list, "/d/"+d.UID) {
			t.Errorf("the list of dashboards lacks %s", d.UID)
		}
		page, err := s.Page(t.Context(), s.URL("console")+"/d/"+d.UID)
		if err != nil {
			t.Error(err)
			continue
		}
		if !strings.Contains(page, html.EscapeString(d.Title)) {
			t.Errorf("the page of %s lacks its title %q", d.UID, d.Title)
		}
		query, open := url.Values{"rows": {"all"}}, map[string]string{}
		for _, p := range d.Panels {
			if p.Type != "row" {
				key := strconv.FormatInt(p.ID, 10)
				query.Add("p", key+":600x300")
				open[key] = p.Title
			}
		}
		answer, err := s.Page(t.Context(), s.URL("console")+"/panels/"+d.UID+"?"+query.Encode())
		if err != nil {
			t.Error(err)
			continue
		}
		for line := range strings.Lines(answer) {
			var body struct {
				Key, HTML string
				Slow, Bad bool
			}
			if err := json.Unmarshal([]byte(line), &body); err != nil {
				t.Fatalf("%s: %v in %s", d.UID, err, line)
			}
			if body.HTML == "" || body.Bad || body.Slow {
				t.Errorf("%s, panel %q: bad %t, slow %t: %s", d.UID, open[body.Key], body.Bad, body.Slow, body.HTML)
			}
			delete(open, body.Key)
			bodies++
		}
		for key, title := range open {
			t.Errorf("%s, panel %s %q: the console does not show it", d.UID, key, title)
		}
	}
	s.Measured(t, "the console shows %d dashboards, %d panels", len(dashboards), bodies)
}
