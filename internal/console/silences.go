package console

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"lookout/internal/alertmanager"
)

// silencesView is the page of all silences.
type silencesView struct {
	None    bool
	Err     string
	Active  []silenceLine
	Pending []silenceLine
	Expired []silenceLine
	More    int
	Token   string
	Done    string
}

type silenceLine struct {
	alertmanager.Silence
	Matches int
	Again   string // the form filled in with the same
}

const maxExpired = 30

func (s *Server) silencesPage(r *request) error {
	view := &silencesView{None: s.am == nil, Token: r.token(), Done: r.URL.Query().Get("done")}
	if s.am != nil {
		list, err := s.am.Silences(r.wait)
		if err != nil {
			view.Err = s.noAnswer(r, s.am.Address(), err)
		}
		alerts := s.view(r.wait).Alerts
		for _, x := range list {
			line := silenceLine{Silence: x, Again: s.again(x)}
			for _, a := range alerts {
				if x.Matches(a.set) {
					line.Matches++
				}
			}
			switch x.State() {
			case "active":
				view.Active = append(view.Active, line)
			case "pending":
				view.Pending = append(view.Pending, line)
			default:
				view.Expired = append(view.Expired, line)
			}
		}
		byEnd := func(a, b silenceLine) int { return a.EndsAt.Compare(b.EndsAt) }
		slices.SortFunc(view.Active, byEnd)
		slices.SortFunc(view.Pending, byEnd)
		slices.SortFunc(view.Expired, func(a, b silenceLine) int { return b.EndsAt.Compare(a.EndsAt) })
		if len(view.Expired) > maxExpired {
			view.More = len(view.Expired) - maxExpired
			view.Expired = view.Expired[:maxExpired]
		}
	}
	return r.render(http.StatusOK, "silences", r.t("Silences"), view)
}

func (s *Server) again(x alertmanager.Silence) string {
	q := url.Values{}
	for _, m := range x.Matchers {
		q.Add("matcher", m.String())
	}
	q.Set("comment", x.Comment)
	return s.base + "/silences/new?" + q.Encode()
}

// silenceView is the form.
type silenceView struct {
	None     bool
	Matchers []matcherView
	Who, Why string
	User     string
	Token    string
	Errors   []string
	Alerts   []alertLine
	Others   int
	Tomorrow time.Time
	Ends     string
	MinEnds  string
}

type matcherView struct {
	Name, Op, Value string
}

var operators = []string{"=", "!=", "=~", "!~"}

// Operators are what a matcher may compare by.
func (matcherView) Operators() []string { return operators }

const maxMatchers = 30

// silenceForm shows the form, filled in from ?matcher=name%3D%22value%22&… as Alertmanager's and Grafana's links have it.
func (s *Server) silenceForm(r *request) error {
	q := r.URL.Query()
	view := s.newSilenceView(r)
	for _, text := range q["matcher"] {
		m, err := alertmanager.ParseMatcher(text)
		if err != nil {
			view.Errors = append(view.Errors, r.t("%v", err))
			continue
		}
		view.Matchers = append(view.Matchers, matcherView{m.Name, m.Op(), m.Value})
	}
	// Alertmanager's own pages link with ?filter={a="b",c="d"}.
	if filter := strings.Trim(q.Get("filter"), "{} "); filter != "" && len(view.Matchers) == 0 {
		for _, text := range strings.Split(filter, ",") {
			if m, err := alertmanager.ParseMatcher(strings.TrimSpace(text)); err == nil {
				view.Matchers = append(view.Matchers, matcherView{m.Name, m.Op(), m.Value})
			}
		}
	}
	if len(view.Matchers) > maxMatchers {
		view.Matchers = view.Matchers[:maxMatchers]
	}
	view.Why = q.Get("comment")
	s.preview(r, view)
	return s.showForm(r, http.StatusOK, view)
}

func (s *Server) newSilenceView(r *request) *silenceView {
	view := &silenceView{None: s.am == nil, Token: r.token(), User: r.user()}
	view.Who = view.User
	if c, err := r.Cookie("lookout_who"); err == nil && view.Who == "" {
		view.Who, _ = url.QueryUnescape(c.Value)
	}
	view.Tomorrow = tomorrow(r.now.In(r.Loc))
	view.Ends = r.now.In(r.Loc).Add(8 * time.Hour).Format("2006-01-02T15:04")
	view.MinEnds = r.now.In(r.Loc).Format("2006-01-02T15:04")
	return view
}

// tomorrow is the next day, nine o'clock.
func tomorrow(now time.Time) time.Time {
	return time.Date(now.Year(), now.Month(), now.Day()+1, 9, 0, 0, 0, now.Location())
}

func (s *Server) showForm(r *request, status int, view *silenceView) error {
	for len(view.Matchers) < 1 {
		view.Matchers = append(view.Matchers, matcherView{Op: "="})
	}
	return r.render(status, "silence", r.t("New silence"), view)
}

// preview lists the alerts that would be silenced now.
func (s *Server) preview(r *request, view *silenceView) {
	list, _ := view.parse(r)
	if len(list) == 0 {
		return
	}
	silence := alertmanager.Silence{Matchers: list}
	for _, a := range s.view(r.wait).Alerts {
		if silence.Matches(a.set) {
			if len(view.Alerts) == 12 {
				view.Others++
				continue
			}
			view.Alerts = append(view.Alerts, r.lineOf(a))
		}
	}
}

// parse makes matchers of the form's rows; rows without a name are passed over.
func (v *silenceView) parse(r *request) (list []alertmanager.Matcher, wrong []string) {
	hasValue := false
	for _, m := range v.Matchers {
		name := strings.TrimSpace(m.Name)
		if name == "" {
			if strings.TrimSpace(m.Value) != "" {
				wrong = append(wrong, r.t("A value without a label: %s", m.Value))
			}
			continue
		}
		if !slices.Contains(operators, m.Op) {
			wrong = append(wrong, r.t("“%s” is not a valid operator.", m.Op))
			continue
		}
		equal := m.Op == "=" || m.Op == "=~"
		one := alertmanager.Matcher{Name: name, Value: m.Value, IsEqual: &equal, IsRegex: m.Op == "=~" || m.Op == "!~"}
		if one.IsRegex {
			if err := one.Valid(); err != nil {
				wrong = append(wrong, r.t("“%s” is not a valid regular expression: %v", m.Value, err))
				continue
			}
		}
		if !one.Matches(nil) {
			hasValue = true
		}
		list = append(list, one)
	}
	switch {
	case len(list) == 0 && len(wrong) == 0:
		wrong = append(wrong, r.t("Name a label at least: a silence without one would silence everything."))
	case !hasValue && len(wrong) == 0:
		wrong = append(wrong, r.t("These matchers also match alerts without the labels: at least one must demand something."))
	}
	return list, wrong
}

// createSilence saves what the form says.
func (s *Server) createSilence(r *request) error {
	if s.am == nil {
		return problem(http.StatusConflict, r.t("There is no Alertmanager: start the console with --alertmanager or --grafana."))
	}
	view := s.newSilenceView(r)
	names, ops, values := r.PostForm["name"], r.PostForm["op"], r.PostForm["value"]
	for i := range names {
		if i < len(ops) && i < len(values) && i < maxMatchers {
			view.Matchers = append(view.Matchers, matcherView{names[i], ops[i], values[i]})
		}
	}
	view.Who, view.Why = strings.TrimSpace(r.PostFormValue("who")), strings.TrimSpace(r.PostFormValue("why"))
	if view.User != "" {
		view.Who = view.User // who has logged in cannot be someone else
	}
	if tz := zone(r.PostFormValue("tz")); tz != nil {
		r.Loc = tz
		view.Tomorrow = tomorrow(r.now.In(tz))
	}
	list, wrong := view.parse(r)
	ends, err := r.ends(view)
	if err != nil {
		wrong = append(wrong, err.Error())
	}
	if len(view.Who) > 200 || len(view.Why) > 2000 {
		wrong = append(wrong, r.t("The name or the reason is too long."))
	}
	if r.PostFormValue("for") == "preview" || len(wrong) > 0 {
		status := http.StatusOK
		if r.PostFormValue("for") != "preview" {
			status = http.StatusUnprocessableEntity
		}
		view.Errors = wrong
		s.preview(r, view)
		return s.showForm(r, status, view)
	}
	silence := alertmanager.Silence{
		Matchers: list, StartsAt: r.now, EndsAt: ends, CreatedBy: cmp.Or(view.Who, "console"), Comment: cmp.Or(view.Why, r.t("Silenced in the console")),
	}
	if _, err := s.am.Save(r.Context(), silence); err != nil {
		view.Errors = []string{r.t("The silence was not saved: %v", s.noAnswer(r, s.am.Address(), err))}
		s.preview(r, view)
		return s.showForm(r, http.StatusBadGateway, view)
	}
	if view.User == "" && view.Who != "" {
		//lint:ignore G124 a name that prefills a form, also where the console is reached by plain HTTP
		http.SetCookie(r.w, &http.Cookie{Name: "lookout_who", Value: url.QueryEscape(view.Who), Path: s.base + "/", MaxAge: 365 * 86400, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	}
	s.alerts.Forget(func(string) bool { return true })
	return r.redirect(r.link("/silences", "done", "created"))
}

// ends is when the silence of a form ends.
func (r *request) ends(view *silenceView) (time.Time, error) {
	switch r.PostFormValue("for") {
	case "2h", "preview":
		return r.now.Add(2 * time.Hour), nil
	case "tomorrow":
		return view.Tomorrow, nil
	case "own":
		at, err := time.ParseInLocation("2006-01-02T15:04", r.PostFormValue("ends"), r.Loc)
		view.Ends = r.PostFormValue("ends")
		switch {
		case err != nil:
			return at, errors.New(r.t("“%s” is not a valid end; write 2026-01-02T15:04.", r.PostFormValue("ends")))
		case !at.After(r.now):
			return at, errors.New(r.t("The silence would end before it begins."))
		case at.After(r.now.AddDate(1, 0, 0)):
			return at, errors.New(r.t("A silence of more than a year is not one; change or remove the rule."))
		}
		return at, nil
	}
	return time.Time{}, errors.New(r.t("Choose how long the silence lasts."))
}

// extendSilence moves a silence's end two hours on.
func (s *Server) extendSilence(r *request) error {
	return s.changeSilence(r, "extended", func(x alertmanager.Silence) error {
		from := x.EndsAt
		if from.Before(r.now) {
			from = r.now
		}
		x.EndsAt = from.Add(2 * time.Hour)
		_, err := s.am.Save(r.Context(), x)
		return err
	})
}

// expireSilence ends a silence now.
func (s *Server) expireSilence(r *request) error {
	return s.changeSilence(r, "expired", func(x alertmanager.Silence) error { return s.am.Expire(r.Context(), x.ID) })
}

func (s *Server) changeSilence(r *request, done string, change func(alertmanager.Silence) error) error {
	if s.am == nil {
		return problem(http.StatusConflict, r.t("There is no Alertmanager: start the console with --alertmanager or --grafana."))
	}
	x, err := s.am.Silence(r.Context(), r.PathValue("id"))
	if errors.Is(err, alertmanager.ErrNotFound) {
		return problem(http.StatusNotFound, r.t("There is no such silence; it may have been deleted after it expired."))
	}
	if err == nil && x.State() == "expired" {
		return problem(http.StatusConflict, r.t("This silence has expired already; make a new one."))
	}
	if err == nil {
		err = change(x)
	}
	if err != nil {
		return problem(http.StatusBadGateway, r.t("The silence was not changed: %v", s.noAnswer(r, s.am.Address(), err)))
	}
	s.alerts.Forget(func(string) bool { return true })
	return r.redirect(r.link("/silences", "done", done))
}
