// Package diff tells what changed between two versions of a dashboard or of an alert file, as a reviewer would say it.
//
// It works in three steps. The two trees are laid side by side, panels recognised by what they show rather than by their ids; that gives a list of
// changed leaves that is complete: [Replay] makes the new file out of the old one and the list. Each changed leaf is then given to exactly one event, or to the
// list of ignored ones with the reason. Last, events that say the same of many panels become one.
package diff

import (
	"cmp"
	"slices"

	"lookout/internal/dashboard"
)

// Change is one changed place in a file. Paths are JSON pointers (RFC 6901) from the dashboard object.
type Change struct {
	// Path is the place in the new file, OldPath in the old one. A member that came or went has both: its object is in both files. An item of an array
	// that came has no OldPath, one that went no Path.
	Path, OldPath string
	// Before and After are the values, nil where there is none.
	Before, After *dashboard.Node
	// Order is set for an array whose items were added, removed or moved: for each new item the pointer of the old item it came from, "" for a new one, whose
	// value is in a Change of its own. Before is nil then, and After the array if there was none.
	Order []string

	// source and oldSource are the pointers in the files, from their root, where the dashboard object is not what stands there: see [dashboard.Dashboard.SourcePointer].
	source, oldSource string
	// outside is set for places that are not in the dashboard object: [Replay] makes the object only.
	outside bool
	// spot is where a new member stands among its siblings, if After does not tell.
	spot *dashboard.Node
}

// Event is one change of meaning.
type Event struct {
	Kind Kind
	// Dashboard is the title of the dashboard, or the file of the alerts.
	Dashboard string
	// File is the file of the new version, else of the old one.
	File string
	// Panel is the title of the panel or the name of the alert; of several panels their titles joined by ", "; "" if the change is not in a panel.
	Panel string
	// Panels are the titles when one event is about several, one for each panel: titles may repeat.
	Panels []string
	// Before and After are what changed, as JSON values; nil where there was or is none, or where an event tells of different values.
	Before, After *dashboard.Node
	// Text is the whole event in a sentence.
	Text string
	// Changes are the leaves that the event accounts for.
	Changes []Change
	// Old and New are the panels it is about, for pictures.
	Old, New []*dashboard.Panel

	subject, what string
	old, new      *dashboard.Panel
	collapse      bool
	// who are the panels or alerts it is about, told apart by what they are, not by their titles.
	who []named
	// parts are what an event that joins others says of each.
	parts []string
}

// named is a panel or alert with its title.
type named struct {
	id   any
	name string
}

// Ignored is a changed place that says nothing about the dashboard.
type Ignored struct {
	Change
	// File is the file of the new version, else of the old one.
	File   string
	Reason string
}

// Result is what changed.
type Result struct {
	Events  []Event
	Ignored []Ignored
}

// Changes are all changed places: those of the events and the ignored ones.
func (r *Result) Changes() []Change {
	var out []Change
	for _, e := range r.Events {
		out = append(out, e.Changes...)
	}
	for _, i := range r.Ignored {
		out = append(out, i.Change)
	}
	return out
}

// Add appends another result.
func (r *Result) Add(o Result) {
	r.Events = append(r.Events, o.Events...)
	r.Ignored = append(r.Ignored, o.Ignored...)
}

// Kind names what an event is about. The names are part of the command line's contract.
type Kind string

// The kinds of events.
const (
	DashboardAdded       Kind = "dashboard-added"
	DashboardRemoved     Kind = "dashboard-removed"
	DashboardRetitled    Kind = "dashboard-retitled"
	DashboardDescription Kind = "dashboard-description"
	DashboardUID         Kind = "dashboard-uid"
	DashboardMoved       Kind = "dashboard-moved"
	DashboardSetting     Kind = "dashboard-setting"
	DashboardFolder      Kind = "dashboard-folder"
	DashboardSchema      Kind = "dashboard-schema"
	Tags                 Kind = "tags"
	TimeRange            Kind = "time-range"
	Refresh              Kind = "refresh"
	LinkKind             Kind = "link"
	LinkAdded            Kind = "link-added"
	LinkRemoved          Kind = "link-removed"
	VariableKind         Kind = "variable"
	VariableAdded        Kind = "variable-added"
	VariableRemoved      Kind = "variable-removed"
	VariableOrder        Kind = "variable-order"
	AnnotationKind       Kind = "annotation"
	AnnotationAdded      Kind = "annotation-added"
	AnnotationRemoved    Kind = "annotation-removed"
	Input                Kind = "input"

	PanelReworked  Kind = "panel-reworked"
	PanelAdded     Kind = "panel-added"
	PanelRemoved   Kind = "panel-removed"
	PanelMoved     Kind = "panel-moved"
	PanelResized   Kind = "panel-resized"
	PanelsShifted  Kind = "panels-shifted"
	PanelRetitled  Kind = "panel-retitled"
	PanelType      Kind = "panel-type"
	Description    Kind = "description"
	RowAdded       Kind = "row-added"
	RowRemoved     Kind = "row-removed"
	RowCollapsed   Kind = "row-collapsed"
	RowExpanded    Kind = "row-expanded"
	Query          Kind = "query"
	QueryAdded     Kind = "query-added"
	QueryRemoved   Kind = "query-removed"
	QueryOption    Kind = "query-option"
	QueryOrder     Kind = "query-order"
	Legend         Kind = "legend"
	Unit           Kind = "unit"
	Threshold      Kind = "threshold"
	Datasource     Kind = "datasource"
	Range          Kind = "range"
	Mapping        Kind = "mapping"
	Color          Kind = "color"
	Style          Kind = "style"
	Override       Kind = "override"
	Transformation Kind = "transformation"
	Repeat         Kind = "repeat"
	LibraryPanel   Kind = "library-panel"
	Condition      Kind = "condition"
	Option         Kind = "option"

	AlertAdded      Kind = "alert-added"
	AlertRemoved    Kind = "alert-removed"
	AlertRenamed    Kind = "alert-renamed"
	AlertQuery      Kind = "alert-query"
	AlertThreshold  Kind = "alert-threshold"
	AlertFor        Kind = "alert-for"
	AlertLabel      Kind = "alert-label"
	AlertAnnotation Kind = "alert-annotation"
	AlertOption     Kind = "alert-option"
	AlertGroup      Kind = "alert-group"
)

// Differ compares files. It remembers parsed queries and is not safe for concurrent use.
type Differ struct {
	queries *queries
}

// New makes a Differ.
func New() *Differ { return &Differ{queries: newQueries()} }

// Dashboards tells what changed from one version to the other. Either may be nil: the dashboard is new, or gone.
func (d *Differ) Dashboards(before, after *dashboard.Dashboard) Result {
	switch {
	case before == nil && after == nil:
		return Result{}
	case before == nil:
		return Result{Events: []Event{wholeDashboard(DashboardAdded, "added", after)}}
	case after == nil:
		return Result{Events: []Event{wholeDashboard(DashboardRemoved, "removed", before)}}
	}
	c := newComparer(d.queries, before, after)
	c.matchPanels()
	c.compare(before.Root, after.Root, c.top, nil)
	res := c.result()
	c.around(&res)
	return res
}

func wholeDashboard(kind Kind, verb string, d *dashboard.Dashboard) Event {
	panels, rows, queries := 0, 0, 0
	for _, p := range d.Panels {
		if p.IsRow() {
			rows++
			continue
		}
		panels++
		queries += len(p.Targets)
	}
	e := Event{
		Kind: kind, Dashboard: d.Name(), File: d.File(),
		Text: "dashboard " + verb + ": " + plural(panels, "panel") + " with " + plural(queries, "query"),
	}
	ch := Change{}
	if kind == DashboardAdded {
		ch.After = d.Root
		e.After = dashboard.NewString(d.Name())
		e.New = onlyPanels(d.Panels)
	} else {
		ch.Before = d.Root
		e.Before = dashboard.NewString(d.Name())
		e.Old = onlyPanels(d.Panels)
	}
	e.what = e.Text
	e.Changes = []Change{ch}
	return e
}

func onlyPanels(all []*dashboard.Panel) []*dashboard.Panel {
	return slices.DeleteFunc(slices.Clone(all), (*dashboard.Panel).IsRow)
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if noun == "query" {
		return itoa(n) + " queries"
	}
	return itoa(n) + " " + noun + "s"
}

// sortEvents puts events in the order of reading: the dashboard itself, then its panels from top to bottom.
func sortEvents(events []Event) {
	place := func(e *Event) (int, int) {
		p := cmp.Or(e.new, e.old)
		if p == nil {
			return -1, 0
		}
		return p.Grid.Y, p.Grid.X
	}
	slices.SortStableFunc(events, func(a, b Event) int {
		ay, ax := place(&a)
		by, bx := place(&b)
		return cmp.Or(cmp.Compare(ay, by), cmp.Compare(ax, bx))
	})
}

// Moved is the event of a file under another name: its directory is the folder in Grafana.
func Moved(p Pair, before, after string) Event {
	name := p.File
	if d := cmp.Or(p.After, p.Before); d != nil && !p.Rules {
		name = d.Name()
	}
	return Event{
		Kind: DashboardMoved, Dashboard: name, File: p.File, Before: dashboard.NewString(before), After: dashboard.NewString(after),
		Text: "file moved " + before + " → " + after,
	}
}
