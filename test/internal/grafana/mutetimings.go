package grafana

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

type muteTiming struct {
	Name      string     `json:"name"`
	Intervals []interval `json:"time_intervals"`
}

type interval struct {
	Times []struct {
		Start string `json:"start_time"`
		End   string `json:"end_time"`
	} `json:"times,omitempty"`
	Weekdays    []string `json:"weekdays,omitempty"`
	DaysOfMonth []string `json:"days_of_month,omitempty"`
	Months      []string `json:"months,omitempty"`
	Years       []string `json:"years,omitempty"`
	Location    string   `json:"location,omitempty"`
}

func (s *Server) muteTimingRoutes() []route {
	const all, one = "/api/v1/provisioning/mute-timings", "/api/v1/provisioning/mute-timings/{name}"
	return []route{
		{method: "GET", path: all, needs: readRules, role: Admin, answer: func(c *call) answer {
			return answer{status: http.StatusOK, body: append([]*muteTiming{}, c.muteTimings...)}
		}},
		{method: "POST", path: all, needs: writeRules, role: Admin, answer: createMuteTiming},
		{method: "GET", path: one, needs: readRules, role: Admin, answer: getMuteTiming},
		{method: "PUT", path: one, needs: writeRules, role: Admin, answer: putMuteTiming},
		{method: "DELETE", path: one, needs: writeRules, role: Admin, answer: deleteMuteTiming},
	}
}

func (s *Server) muteTiming(name string) *muteTiming {
	if i := slices.IndexFunc(s.muteTimings, func(m *muteTiming) bool { return m.Name == name }); i >= 0 {
		return s.muteTimings[i]
	}
	return nil
}

// sound holds a mute timing against the rules of Alertmanager, as far as they were recorded.
func (m *muteTiming) sound() error {
	if m.Name == "" {
		return errors.New("no name")
	}
	minutes := func(text string) (int, error) {
		if text == "24:00" {
			return 24 * 60, nil
		}
		at, err := time.Parse("15:04", text)
		return at.Hour()*60 + at.Minute(), err
	}
	for _, i := range m.Intervals {
		for _, t := range i.Times {
			from, err := minutes(t.Start)
			to, err2 := minutes(t.End)
			if err := errors.Join(err, err2); err != nil || from >= to {
				return fmt.Errorf("%s to %s: %v", t.Start, t.End, err)
			}
		}
		days := strings.Fields("sunday monday tuesday wednesday thursday friday saturday")
		months := strings.Fields("january february march april may june july august september october november december")
		for _, each := range []struct {
			texts  []string
			lo, hi int
			names  []string
		}{{i.Weekdays, 0, 6, days}, {i.DaysOfMonth, -31, 31, nil}, {i.Months, 1, 12, months}, {i.Years, 1, 9999, nil}} {
			for _, text := range each.texts {
				for part := range strings.SplitSeq(text, ":") {
					n, err := strconv.Atoi(part)
					if (err != nil || n < each.lo || n > each.hi || each.lo == 0) && !slices.Contains(each.names, strings.ToLower(part)) {
						return fmt.Errorf("%q", text)
					}
				}
			}
		}
		if _, err := time.LoadLocation(i.Location); err != nil {
			return err
		}
	}
	return nil
}

// provenanced is what the answer to a write shows; those to reads don't.
func (m *muteTiming) provenanced(c *call) any {
	return struct {
		*muteTiming
		Provenance string `json:"provenance,omitempty"`
	}{m, c.origin()}
}

func createMuteTiming(c *call) answer {
	var in muteTiming
	if err := c.decode(&in); err != nil || in.sound() != nil {
		return badRequest
	}
	if c.muteTiming(in.Name) != nil {
		return failed(http.StatusBadRequest, "invalid object specification: a mute timing with this name already exists")
	}
	c.muteTimings = append(c.muteTimings, &in)
	return answer{status: http.StatusCreated, body: in.provenanced(c)}
}

func getMuteTiming(c *call) answer {
	m := c.muteTiming(c.part("name"))
	if m == nil {
		return gone
	}
	return answer{status: http.StatusOK, body: m}
}

func putMuteTiming(c *call) answer {
	var in muteTiming
	err := c.decode(&in)
	in.Name = c.part("name")
	if err != nil || in.sound() != nil {
		return badRequest
	}
	m := c.muteTiming(in.Name)
	if m == nil {
		return gone
	}
	*m = in
	return answer{status: http.StatusAccepted, body: m.provenanced(c)}
}

func deleteMuteTiming(c *call) answer {
	name := c.part("name")
	if c.policy.uses(func(p *policy) bool { return slices.Contains(p.MuteTimings, name) }) {
		return failed(http.StatusInternalServerError, "mute time '%s' is currently used by a notification policy", name)
	}
	c.muteTimings = slices.DeleteFunc(c.muteTimings, func(m *muteTiming) bool { return m.Name == name })
	return answer{status: http.StatusNoContent}
}
