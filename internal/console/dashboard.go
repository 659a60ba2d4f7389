package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"lookout/internal/dashboard"
	"lookout/internal/prometheus"
	"lookout/internal/render"
)

// board is a dashboard as one reader looks at it; readers who look at the same share it.
type board struct {
	*render.Board
	d    *dashboard.Dashboard
	file boardFile
	key  string
	// unasked is why Prometheus was not asked for the variables.
	unasked    error
	start, end time.Time
	lines      map[int64][]render.Line
	sections   []render.BoardSection
	// words are the text panels as HTML, by key.
	words map[string]string
}

// Unasked says that the variables' choices are missing since Prometheus did not answer: the page is made again when it does.
func (b *board) Unasked() bool { return b.unasked != nil }

func escape(s string) string { return url.PathEscape(s) }

// boardOptions are what the address says about time and variables. notice is what is wrong with it.
func (s *Server) boardOptions(r *request, d *dashboard.Dashboard) (opts render.Options, notice string) {
	q := r.URL.Query()
	loc := r.Loc
	if own := zone(d.Root.Get("timezone").Text()); own != nil && zone(q.Get("timezone")) == nil {
		loc = own
	}
	opts = render.Options{
		Theme: r.drawTheme(), Location: loc, ScrapeInterval: s.cfg.ScrapeInterval, Variables: variables(q), Prometheus: s.querier(),
	}
	for _, v := range d.Variables {
		// An empty list of filters is one: the saved ones were taken away.
		if name := "var-" + v.Name; v.Type == "adhoc" && q.Has(name) && opts.Variables[v.Name] == nil {
			opts.Variables[v.Name] = []string{}
		}
	}
	now := r.now.In(loc)
	from, to := q.Get("from"), q.Get("to")
	for range 2 { // the second time with a now that readers share, which depends on the range
		opts.Now, opts.Start, opts.End = now, time.Time{}, time.Time{}
		if from != "" || to != "" {
			start, ok1 := render.ParseTime(cmp.Or(from, "now-1h"), now, false)
			end, ok2 := render.ParseTime(cmp.Or(to, "now"), now, true)
			switch {
			case !ok1 || !ok2:
				notice = r.t("“%s” to “%s” is not a valid time range; write now-6h, 2026-01-02 15:04 or milliseconds.", from, to)
			case !start.Before(end):
				notice = r.t("The time range ends before it begins.")
			case end.Sub(start) > 5*366*24*time.Hour || start.Year() < 1971:
				notice = r.t("The time range is longer than five years.")
			default:
				opts.Start, opts.End = start, end
			}
		}
		start, end := render.Range(d, opts)
		if !start.Before(end) {
			opts.Start, opts.End = now.Add(-time.Hour), now
			start, end = opts.Start, opts.End
		}
		now = r.now.In(loc).Truncate(tick(end.Sub(start)))
	}
	return opts, notice
}

// tick is how finely time is looked at: readers of one range within a tick ask for the same, and a curve's step is longer.
func tick(span time.Duration) time.Duration {
	for _, t := range []time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second} {
		if span <= t*720 {
			return t
		}
	}
	return time.Minute
}

// variables are the var-… parameters; empty ones say nothing.
func variables(q url.Values) map[string][]string {
	out := map[string][]string{}
	for name, vals := range q {
		if name, ok := strings.CutPrefix(name, "var-"); ok && len(name) < 200 {
			vals = slices.DeleteFunc(slices.Clone(vals), func(v string) bool { return v == "" })
			if slices.Contains(vals, "$__all") {
				vals = []string{"$__all"}
			}
			if len(vals) > 0 {
				out[name] = vals
			}
		}
	}
	return out
}

// board gives the dashboard as the address wants it. It is nil without an error if the file is broken and there is no good content.
func (s *Server) board(r *request, uid string) (*board, boardFile, string, error) {
	d, file, err := s.source(r, uid)
	if errors.Is(err, errNoBoard) {
		return nil, file, "", problem(http.StatusNotFound, r.t("There is no dashboard with the uid “%s”.", uid))
	}
	if err != nil {
		return nil, file, "", err
	}
	if d == nil {
		return nil, file, "", nil
	}
	opts, notice := s.boardOptions(r, d)
	start, end := render.Range(d, opts)
	var key strings.Builder
	fmt.Fprintf(&key, "%s@%s|%d|%d|%s|%s", uid, file.Version, start.UnixMilli(), end.UnixMilli(), opts.Location, opts.Theme)
	names := make([]string, 0, len(opts.Variables))
	for n := range opts.Variables {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		fmt.Fprintf(&key, "|%s=%q", n, opts.Variables[n])
	}
	// The wait for Prometheus is bounded below; a machine that is short of time is no reason to refuse the page.
	b, _, err := s.boards.Do(r.Context(), key.String(), 20*time.Second, func(ctx context.Context) (*board, int, error) {
		limit, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		b, unasked, err := render.NewBoard(limit, d, opts)
		if err != nil {
			return nil, 0, err
		}
		out := &board{Board: b, d: d, file: file, key: key.String(), unasked: unasked}
		out.start, out.end = b.Range()
		if out.lines = s.lines(limit, uid); uid == graphUID {
			out.lines = graphLines(file.Expr)
		}
		out.sections, out.words = b.Sections(), map[string]string{}
		for _, sec := range out.sections {
			for _, p := range sec.Panels {
				if p.Panel.Type != "text" {
					continue
				}
				if pic, err := b.Draw(ctx, p.Key, render.DrawOptions{Width: 400, Height: 200}); err == nil {
					out.words[p.Key] = pic.HTML
				}
			}
		}
		// What failed is asked again soon, and shown meanwhile.
		return out, 64<<10 + 4<<10*len(d.Panels), unasked
	})
	if b == nil {
		return nil, file, "", err
	}
	return b, file, notice, nil
}

// dashboardView is the page of one dashboard.
type dashboardView struct {
	R         *request
	File      boardFile
	Board     *board
	Style     template.CSS
	Sections  []sectionView
	Variables []variableView
	Time      timeView
	Refresh   string
	Links     []linkView
	Single    *panelView
	Hidden    []param
	Solo      bool
	Kiosk     bool
	Editing   bool
}

type param struct{ Name, Value string }

type sectionView struct {
	render.BoardSection
	ID    string
	Open  bool
	Views []*panelView
	// Tabs is the bar of tabs that stands before the section; empty before most. Hidden means that the section belongs to a tab that is not the chosen one.
	Tabs   []optionView
	Hidden bool
}

// Tab says that the section is what a tab shows, so that it has no head of its own.
func (s sectionView) Tab() bool { return s.Row != nil && s.Row.Tab }

// panelView is one panel on the page.
type panelView struct {
	render.BoardPanel
	View    *dashboardView
	Alerts  []panelAlert
	Text    string
	Static  bool
	Links   []linkView
	Open    string // address of the panel alone
	Runbook *runbookView
}

type variableView struct {
	render.BoardVariable
	Name, Label string
	Control     string // select, checks, text, filters
	Options     []optionView
	// Without are the addresses that leave one of the filters away.
	Without []string
	More    int
	Uses    string
}

type optionView struct {
	Text, Value string
	Selected    bool
}

type timeView struct {
	From, To, Label         string
	Presets                 []optionView
	Back, Forward, ZoomOut  string
	StartMillis, EndMillis  int64
	FromInput, ToInput      string
	Refreshes               []optionView
	Zone                    string
	Start, End              time.Time
	FollowsNow, OwnSelected bool
}

type linkView struct{ Title, URL, Kind string }

func (s *Server) dashboardPage(r *request) error {
	return s.showDashboard(r, false)
}

func (s *Server) soloPage(r *request) error { return s.showDashboard(r, true) }

func (s *Server) showDashboard(r *request, solo bool) error {
	uid := r.PathValue("uid")
	if s.rules != nil {
		go s.view(r.wait) // it is needed further down, and waited for by then
	}
	b, file, notice, err := s.board(r, uid)
	if err != nil {
		return err
	}
	if b == nil {
		return r.render(http.StatusOK, "broken", file.Title, file)
	}
	q := r.URL.Query()
	view := &dashboardView{R: r, File: file, Board: b, Solo: solo, Editing: s.git && !solo, Kiosk: q.Has("kiosk") || solo}
	r.Embed = view.Kiosk
	only := panelKey(q.Get("viewPanel"))
	if solo {
		only = panelKey(q.Get("panelId"))
	}
	if only != "" && !b.Has(only) {
		return problem(http.StatusNotFound, r.t("The dashboard “%s” has no panel %s.", file.Title, only))
	}
	alerts := s.panelAlerts(r, uid)
	if uid == graphUID {
		only, alerts = graphPanel, s.graphAlerts(r, file.Expr)
	}
	view.sections(only, alerts)
	view.variables()
	view.time()
	view.links()
	return r.render(http.StatusOK, "dashboard", file.Title, view, s.boardNotices(r, b, file, notice)...)
}

// boardNotices say what a reader should know before the pictures.
func (s *Server) boardNotices(r *request, b *board, file boardFile, text string) []notice {
	var out []notice
	if text != "" {
		out = append(out, notice{"warning", text})
	}
	if file.Err != nil {
		out = append(out, notice{"error", r.t("The file cannot be read; what is shown is its last good content: %v", file.Err)})
	}
	switch {
	case s.prom == nil:
		out = append(out, notice{"info", r.t("Without --prometheus the panels show what they would ask.")})
	case b.unasked != nil:
		out = append(out, notice{"error", s.silent(r, b.unasked)})
	}
	return out
}

// silent says that Prometheus does not answer.
func (s *Server) silent(r *request, err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return r.t("Prometheus at %s has not answered for %s.", s.prom.Address(), "2 s")
	}
	if prometheus.Unreachable(err) {
		return r.t("Prometheus at %s cannot be reached: %v", s.prom.Address(), reason(err))
	}
	return r.t("Prometheus at %s: %v", s.prom.Address(), reason(err))
}

// reason is the innermost words of an error, without addresses that may hold a password.
func reason(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	text := strings.Join(strings.Fields(err.Error()), " ")
	text = strings.TrimPrefix(text, "ask Prometheus: ")
	if len(text) > 400 {
		text = text[:400] + "…"
	}
	return text
}

// panelKey reads Grafana's ways to name a panel: 3, panel-3, panel-3-clone-1.
func panelKey(s string) string { return strings.TrimPrefix(s, "panel-") }

func (v *dashboardView) sections(only string, alerts map[int64][]panelAlert) {
	r := v.R
	var css strings.Builder
	bars, hidden := tabs(r, v.Board.sections)
	for i, s := range v.Board.sections {
		sec := sectionView{BoardSection: s, ID: "row-" + strconv.Itoa(i), Open: !s.Collapsed, Tabs: bars[i], Hidden: hidden[i]}
		if s.Row != nil {
			opened := r.URL.Query().Get("rows")
			if slices.Contains(strings.Split(opened, ","), strconv.Itoa(i)) {
				sec.Open = !sec.Open
			}
		}
		for _, p := range s.Panels {
			if only != "" && p.Key != only || only == "" && sec.Hidden {
				continue
			}
			one := &panelView{BoardPanel: p, View: v, Static: p.Panel.Type == "text"}
			if p.Panel.HasID {
				one.Alerts = alerts[p.Panel.ID]
			}
			one.Open = r.with("viewPanel", p.Key)
			for _, l := range p.Links {
				if u := safeURL(r, l.URL); u != "" {
					one.Links = append(one.Links, linkView{cmp.Or(l.Title, l.URL), u, ""})
				}
			}
			one.Text = v.Board.words[p.Key]
			if only != "" {
				v.Single = one
				for _, a := range one.Alerts {
					if a.Runbook != "" && one.Runbook == nil {
						one.Runbook = r.s.runbookOf(r, a.Runbook)
					}
				}
			} else {
				fmt.Fprintf(&css, "#p-%s{grid-area:%d/%d/span %d/span %d}", cssID(p.Key), p.Y+1, p.X+1, p.H, p.W)
			}
			sec.Views = append(sec.Views, one)
		}
		if only == "" || len(sec.Views) > 0 {
			v.Sections = append(v.Sections, sec)
		}
	}
	if css.Len() > 0 {
		r.newNonce()
		//lint:ignore G203 numbers only
		v.Style = template.CSS("@media(min-width:761px){" + css.String() + "}")
	}
}

// cssID is a key as an id: keys are digits, letters and dashes.
func cssID(key string) string { return key }

// DOM is the panel's id on the page.
func (p *panelView) DOM() string { return "p-" + cssID(p.Key) }

// Half says that two of the panel fit beside each other on a phone.
func (p *panelView) Half() bool { return p.W <= 6 && p.H <= 6 }

// Picture is the address of the panel's picture for readers without a script, in one theme.
func (p *panelView) Picture(scheme string) string {
	w, h := max(p.W*58-8, 320), p.H*38-8-36
	if p.View.Single != nil {
		w, h = 1100, 560
	}
	q := p.View.R.keep()
	q.Set("w", strconv.Itoa(w))
	q.Set("h", strconv.Itoa(max(h, 60)))
	q.Set("scheme", scheme)
	return p.View.R.s.base + "/picture/" + escape(p.View.File.UID) + "/" + escape(p.Key) + "?" + q.Encode()
}

// keep are the parameters that go along from page to page of a dashboard.
func (r *request) keep() url.Values {
	q := r.URL.Query()
	for name := range q {
		switch {
		case strings.HasPrefix(name, "var-"), strings.HasPrefix(name, "show-"), name == tabParam, strings.HasSuffix(name, "-"+tabParam):
		case slices.Contains([]string{"from", "to", "refresh", "theme", "timezone", "kiosk", "viewPanel", "panelId", "rows", graphParam}, name):
		default:
			q.Del(name)
		}
	}
	return q
}

// with is the present address with other parameters; "" takes one away.
func (r *request) with(params ...string) string {
	q := r.keep()
	for i := 0; i+1 < len(params); i += 2 {
		if params[i+1] == "" {
			q.Del(params[i])
		} else {
			q.Set(params[i], params[i+1])
		}
	}
	path := r.s.base + r.URL.EscapedPath()
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// With is for templates.
func (r *request) With(params ...string) string { return r.with(params...) }

// Link is for templates.
func (r *request) Link(path string, params ...string) string { return r.link(path, params...) }

const maxOptions = 250

func (v *dashboardView) variables() {
	q := v.R.URL.Query()
	for _, bv := range v.Board.Variables() {
		if bv.Hide == 2 || bv.Variable.Name == "" {
			if vals := q["var-"+bv.Variable.Name]; len(vals) > 0 {
				for _, val := range vals {
					v.Hidden = append(v.Hidden, param{"var-" + bv.Variable.Name, val})
				}
			}
			continue
		}
		one := variableView{BoardVariable: bv, Name: bv.Variable.Name, Label: cmp.Or(bv.Variable.Label, bv.Variable.Name)}
		switch bv.Type {
		case "constant", "groupby", "datasource":
			continue
		case "adhoc":
			v.filters(bv)
			continue
		case "textbox":
			one.Control = "text"
		default:
			one.Control = "select"
			if bv.Multi {
				one.Control = "checks"
			}
		}
		if bv.IncludeAll {
			one.Options = append(one.Options, optionView{v.R.t("All"), "$__all", bv.All})
		}
		for _, val := range bv.Values {
			if !bv.All && !slices.ContainsFunc(bv.Choices, func(c render.BoardChoice) bool { return c.Value == val }) {
				one.Options = append(one.Options, optionView{val, val, true})
			}
		}
		for _, c := range bv.Choices {
			if len(one.Options) >= maxOptions {
				one.More++
				continue
			}
			one.Options = append(one.Options, optionView{c.Text, c.Value, !bv.All && slices.Contains(bv.Values, c.Value)})
		}
		// Which variables its query uses: they are forgotten when this one changes.
		for _, other := range v.Board.d.Variables {
			if other.Name != bv.Variable.Name && (strings.Contains(bv.Query, "$"+other.Name) || strings.Contains(bv.Query, "${"+other.Name)) {
				one.Uses += " " + other.Name
			}
		}
		v.Variables = append(v.Variables, one)
	}
	for name := range v.R.keep() {
		if !strings.HasPrefix(name, "var-") && !strings.HasPrefix(name, "show-") && name != "from" && name != "to" && q.Get(name) != "" {
			v.Hidden = append(v.Hidden, param{name, q.Get(name)})
		}
	}
}

// filters adds an ad hoc variable: its filters, each with an address without it, and a field for one more.
func (v *dashboardView) filters(bv render.BoardVariable) {
	name := "var-" + bv.Variable.Name
	one := variableView{BoardVariable: bv, Name: bv.Variable.Name, Label: cmp.Or(bv.Variable.Label, bv.Variable.Name), Control: "filters"}
	for i, text := range bv.Values {
		f, err := render.ParseFilter(text)
		if err != nil {
			continue
		}
		q := v.R.keep()
		if q[name] = slices.Delete(slices.Clone(bv.Values), i, i+1); len(q[name]) == 0 {
			q[name] = []string{""}
		}
		one.Options = append(one.Options, optionView{Text: f.Label + " " + f.Op + " " + f.Value, Value: text})
		one.Without = append(one.Without, v.R.s.base+v.R.URL.EscapedPath()+"?"+q.Encode())
	}
	v.Variables = append(v.Variables, one)
}

var presets = []struct{ from, text string }{
	{"now-5m", "Last 5 minutes"}, {"now-15m", "Last 15 minutes"}, {"now-30m", "Last 30 minutes"}, {"now-1h", "Last hour"}, {"now-3h", "Last 3 hours"},
	{"now-6h", "Last 6 hours"}, {"now-12h", "Last 12 hours"}, {"now-24h", "Last 24 hours"}, {"now-2d", "Last 2 days"}, {"now-7d", "Last 7 days"}, {"now-30d", "Last 30 days"},
}

func (v *dashboardView) time() {
	r, q := v.R, v.R.URL.Query()
	start, end := v.Board.start, v.Board.end
	span := end.Sub(start)
	t := &v.Time
	t.StartMillis, t.EndMillis, t.Start, t.End = start.UnixMilli(), end.UnixMilli(), start, end
	t.From, t.To = q.Get("from"), q.Get("to")
	own := v.Board.d.Root.Get("time")
	if t.From == "" && t.To == "" {
		t.From, t.To = own.Get("from").Scalarish(), own.Get("to").Scalarish()
	}
	t.From, t.To = cmp.Or(t.From, "now-1h"), cmp.Or(t.To, "now")
	t.FollowsNow = strings.HasPrefix(t.To, "now")
	t.Zone = start.Format("MST")
	for _, p := range presets {
		selected := t.To == "now" && t.From == p.from
		if selected {
			t.Label = r.t(p.text)
		}
		t.Presets = append(t.Presets, optionView{r.t(p.text), r.with("from", p.from, "to", "now"), selected})
	}
	if t.Label == "" {
		t.OwnSelected = true
		format := "01-02 15:04:05"
		if span > 300*24*time.Hour {
			format = time.DateOnly
		}
		t.Label = start.Format(format) + " – " + end.Format(format)
		if start.Format(time.DateOnly) == end.Format(time.DateOnly) {
			t.Label = start.Format("01-02 15:04:05") + " – " + end.Format("15:04:05")
		}
		if t.To == "now" {
			from := t.From
			if !strings.HasPrefix(from, "now") {
				from = start.Format("01-02 15:04")
			}
			t.Label = r.t("%s to now", from)
		}
	}
	millis := func(at time.Time) string { return strconv.FormatInt(at.UnixMilli(), 10) }
	t.Back = r.with("from", millis(start.Add(-span/2)), "to", millis(end.Add(-span/2)))
	t.Forward = r.with("from", millis(start.Add(span/2)), "to", millis(end.Add(span/2)))
	t.ZoomOut = r.with("from", millis(start.Add(-span/2)), "to", millis(end.Add(span/2)))
	const input = "2006-01-02T15:04:05"
	t.FromInput, t.ToInput = start.Format(input), end.Format(input)
	v.Refresh = q.Get("refresh")
	if _, ok := q["refresh"]; !ok {
		v.Refresh = v.Board.d.Root.Get("refresh").Text()
	}
	if !slices.Contains(refreshes, v.Refresh) {
		if v.Refresh != "" {
			v.Refresh = "30s"
		}
	}
	for _, f := range refreshes {
		text := f
		if f == "" {
			text = r.t("Off")
		}
		t.Refreshes = append(t.Refreshes, optionView{text, f, f == v.Refresh})
	}
}

var refreshes = []string{"", "5s", "10s", "30s", "1m", "5m", "15m", "1h"}

// links are the dashboard's own: addresses, and other dashboards by tag.
func (v *dashboardView) links() {
	r := v.R
	for _, l := range v.Board.d.Links {
		switch {
		case l.Type == "dashboards":
			for _, b := range r.s.store.list() {
				all := len(l.Tags) > 0 && !slices.ContainsFunc(l.Tags, func(t string) bool { return !slices.Contains(b.Tags, t) })
				if all && b.UID != v.File.UID && len(v.Links) < 40 {
					v.Links = append(v.Links, linkView{b.Title, r.link("/d/"+escape(b.UID)) + timeOf(l, r), "dashboard"})
				}
			}
		case l.URL != "":
			if u := safeURL(r, v.Board.Text(l.URL)); u != "" {
				v.Links = append(v.Links, linkView{cmp.Or(v.Board.Text(l.Title), l.URL), u, ""})
			}
		}
	}
}

// timeOf carries the time range along if the link wants that.
func timeOf(l *dashboard.Link, r *request) string {
	q := url.Values{}
	if l.Node.Get("keepTime").Bool() {
		for _, name := range []string{"from", "to"} {
			if val := r.URL.Query().Get(name); val != "" {
				q.Set(name, val)
			}
		}
	}
	if l.Node.Get("includeVars").Bool() {
		for name, vals := range r.URL.Query() {
			if strings.HasPrefix(name, "var-") {
				q[name] = vals
			}
		}
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// safeURL lets addresses through that a browser only opens: http, https, mailto, and paths of this console. "" is anything else.
func safeURL(r *request, address string) string {
	address = strings.TrimSpace(address)
	u, err := url.Parse(address)
	if err != nil || address == "" {
		return ""
	}
	switch strings.ToLower(u.Scheme) {
	case "http", "https":
		if u.Host == "" {
			return ""
		}
		return address
	case "mailto":
		return address
	case "":
		if u.Host != "" { // //host/path
			return ""
		}
		if strings.HasPrefix(address, "/") && r.s.base != "" && !strings.HasPrefix(address, r.s.base+"/") {
			return r.s.base + address
		}
		if strings.HasPrefix(address, "/") || strings.HasPrefix(address, "?") || strings.HasPrefix(address, "#") {
			return address
		}
		if strings.HasPrefix(address, "d/") {
			return r.s.base + "/" + address
		}
	}
	return ""
}

// Bare says that the panel has no frame.
func (p *panelView) Bare() bool { return p.Panel.Node.Get("transparent").Bool() }
