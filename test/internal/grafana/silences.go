package grafana

import (
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
)

type silence struct {
	ID      string         `json:"id"`
	Status  map[string]any `json:"status"`
	Updated string         `json:"updatedAt"`
	Comment string         `json:"comment"`
	By      string         `json:"createdBy"`
	EndsAt  string         `json:"endsAt"`
	Match   []silenceMatch `json:"matchers"`
	Starts  string         `json:"startsAt"`
	starts  time.Time
	ends    time.Time
	updated time.Time
}

type silenceMatch struct {
	IsEqual bool   `json:"isEqual"`
	IsRegex bool   `json:"isRegex"`
	Name    string `json:"name"`
	Value   string `json:"value"`
}

func (m silenceMatch) String() string {
	operator := map[[2]bool]string{{true, false}: "=", {true, true}: "=~", {false, false}: "!=", {false, true}: "!~"}[[2]bool{m.IsEqual, m.IsRegex}]
	return fmt.Sprintf("%s%s%q", m.Name, operator, m.Value)
}

func (s *Server) silenceRoutes() []route {
	const base = "/api/alertmanager/grafana/api/v2/"
	read, write := "any of alert.instances:read, alert.instances.external:read", "any of alert.instances:create, alert.instances:write"
	return []route{
		{method: "GET", path: base + "silences", query: []string{"filter"}, needs: read, role: Viewer, answer: listSilences},
		{method: "POST", path: base + "silences", needs: write, role: Editor, answer: createSilence},
		{method: "GET", path: base + "silence/{id}", needs: read, role: Viewer, answer: func(c *call) answer {
			if s := c.silence(c.part("id")); s != nil {
				return answer{status: http.StatusOK, body: s.shown(c)}
			}
			return noSilence
		}},
		{method: "DELETE", path: base + "silence/{id}", needs: write, role: Editor, answer: func(c *call) answer {
			s := c.silence(c.part("id"))
			if s == nil {
				return noSilence
			}
			s.expire(c.options.Now())
			return message(http.StatusOK, "silence deleted")
		}},
	}
}

var noSilence = failed(http.StatusNotFound, "silence not found")

func (s *Server) silence(id string) *silence {
	if i := slices.IndexFunc(s.silences, func(s *silence) bool { return s.ID == id }); i >= 0 {
		return s.silences[i]
	}
	return nil
}

// expire ends a silence; it stays in the list.
func (s *silence) expire(now time.Time) {
	s.ends, s.updated = now, now
	if s.starts.After(now) {
		s.starts = now
	}
}

func (s *silence) shown(c *call) silence {
	const millis = "2006-01-02T15:04:05.000Z"
	one := *s
	state, now := "active", c.options.Now()
	if s.starts.After(now) {
		state = "pending"
	}
	if !s.ends.After(now) {
		state = "expired"
	}
	one.Status = map[string]any{"state": state}
	one.Starts, one.EndsAt, one.Updated = s.starts.UTC().Format(millis), s.ends.UTC().Format(millis), s.updated.UTC().Format(millis)
	return one
}

func listSilences(c *call) answer {
	out := []silence{}
	for _, s := range c.silences {
		has := func(filter string) bool {
			return slices.ContainsFunc(s.Match, func(m silenceMatch) bool { return m.String() == strings.ReplaceAll(filter, " ", "") })
		}
		if !slices.ContainsFunc(c.query["filter"], func(f string) bool { return !has(f) }) {
			out = append(out, s.shown(c))
		}
	}
	// What is active comes first, and of those the one that ends first; expired ones by their end, the latest first.
	slices.SortStableFunc(out, func(a, b silence) int {
		ea, eb := a.Status["state"] == "expired", b.Status["state"] == "expired"
		switch {
		case ea != eb && eb:
			return -1
		case ea != eb:
			return 1
		case ea:
			return b.ends.Compare(a.ends)
		}
		return a.ends.Compare(b.ends)
	})
	return answer{status: http.StatusOK, body: out}
}

func createSilence(c *call) answer {
	var in struct {
		ID        string
		Matchers  []silenceMatch
		StartsAt  time.Time
		EndsAt    time.Time
		CreatedBy string
		Comment   string
	}
	if err := c.decode(&in); err != nil {
		return badRequest
	}
	bad := func(format string, args ...any) answer { return failed(http.StatusBadRequest, format, args...) }
	now := c.options.Now()
	switch {
	case len(in.Matchers) == 0:
		return bad("silence failed validation: validation failure list:\nvalidation failure list:\nmatchers in body should have at least 1 items")
	case in.StartsAt.After(in.EndsAt) || in.StartsAt.Equal(in.EndsAt):
		return bad("start time must be before end time: unable to create silence")
	case in.EndsAt.Before(now):
		return bad("end time can't be in the past: unable to create silence")
	}
	empty := true
	for i, m := range in.Matchers {
		re := regexp.QuoteMeta(m.Value)
		if m.IsRegex {
			re = m.Value
		}
		if _, err := regexp.Compile(re); err != nil {
			return bad("unable to save silence: silence invalid: invalid label matcher %d: invalid regular expression %q: %s: unable to create silence", i, m.Value, err)
		}
		if regexp.MustCompile("^(?:"+re+")$").MatchString("") != m.IsEqual {
			empty = false
		}
	}
	if empty {
		return bad("unable to save silence: silence invalid: at least one matcher must not match the empty string: unable to create silence")
	}
	starts := in.StartsAt
	if starts.Before(now) {
		starts = now
	}
	if was := c.silence(in.ID); was != nil {
		// The same matchers: the same silence, with another end or comment. Other ones: a new silence, and the old one ends.
		if reflect.DeepEqual(was.Match, in.Matchers) && was.ends.After(now) {
			was.ends, was.updated, was.Comment, was.By = in.EndsAt, now, in.Comment, in.CreatedBy
			return answer{status: http.StatusAccepted, body: map[string]any{"silenceID": was.ID}}
		}
		was.expire(now)
	} else if in.ID != "" {
		return noSilence
	}
	id := c.uid()
	c.silences = append(c.silences, &silence{
		ID: id, Match: in.Matchers, Comment: in.Comment, By: in.CreatedBy, starts: starts, ends: in.EndsAt, updated: now,
	})
	return answer{status: http.StatusAccepted, body: map[string]any{"silenceID": id}}
}
