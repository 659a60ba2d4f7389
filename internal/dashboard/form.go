package dashboard

import (
	"errors"
	"fmt"
	"strings"
)

// Form is the shape in which a dashboard is written down. All forms are read into one model; files keep the form they came in.
type Form uint8

// The forms that Grafana reads or writes.
const (
	Classic    Form = iota // the object with "panels" (or "rows") that Grafana wrote before 12.2
	V1Resource             // apiVersion dashboard.grafana.app/v0… or v1…, the classic object under "spec"
	V2Resource             // apiVersion dashboard.grafana.app/v2…, "spec" with "elements" and "layout"
	V2Spec                 // the same spec without its envelope, as Grafana 13.0 exported it under the name "Classic"
)

// String is the form as a message names it.
func (f Form) String() string {
	switch f {
	case V1Resource:
		return "V1 resource"
	case V2Resource:
		return "V2 resource"
	case V2Spec:
		return "V2 spec without its envelope"
	}
	return "classic"
}

// IsV2 reports whether the content is made of elements and a layout.
func (f Form) IsV2() bool { return f == V2Resource || f == V2Spec }

// apiGroup is what the apiVersion of a dashboard resource begins with.
const apiGroup = "dashboard.grafana.app/"

// ShapeError says why well-formed JSON is not a dashboard, and where. errors.Is(err, ErrNotDashboard) holds.
type ShapeError struct {
	Position
	Msg string
}

func (e *ShapeError) Error() string { return e.Position.String() + ": " + e.Msg }

// Is makes a ShapeError an [ErrNotDashboard].
func (e *ShapeError) Is(target error) bool { return target == ErrNotDashboard }

// Problem returns position and text of an error of reading a file: *[SyntaxError] or *[ShapeError]. ok is false for others.
func Problem(err error) (pos Position, msg string, ok bool) {
	var syntax *SyntaxError
	var shape *ShapeError
	switch {
	case errors.As(err, &syntax):
		return syntax.Position, syntax.Msg, true
	case errors.As(err, &shape):
		return shape.Position, shape.Msg, true
	}
	return Position{}, "", false
}

// shape is what detect found in a document.
type shape struct {
	form Form
	// root is the classic object or the V2 spec; envelope is the resource around it, nil if there is none.
	root, envelope *Node
	// version is the version of the API ("v2beta1"), "" without an envelope.
	version string
}

// detect finds the dashboard in a document. Other JSON gives a *ShapeError that names what it looks like.
func detect(doc *Document) (shape, error) {
	n := doc.Root
	fail := func(at *Node, format string, args ...any) (shape, error) {
		pos := at.Pos()
		if pos.Line == 0 {
			pos = Position{File: doc.File, Line: 1, Column: 1}
		}
		return shape{}, &ShapeError{pos, fmt.Sprintf(format, args...)}
	}
	if !n.Is(Object) {
		return fail(n, "not a dashboard: the file holds %s, a dashboard is an object", n.Kind())
	}
	if s, ok, err := resource(n); ok {
		if err != nil {
			return fail(err.at, "%s", err.msg)
		}
		return s, nil
	}
	if s, ok := content(n); ok {
		return s, nil
	}
	inner := n.Get("dashboard") // an answer of Grafana's API, or what one sends to it
	if s, ok, err := resource(inner); ok && err == nil {
		return s, nil
	}
	if s, ok := content(inner); ok {
		return s, nil
	}
	if s, ok := content(n.Get("spec")); ok {
		s.envelope = n
		if s.form == V2Spec {
			s.form = V2Resource
		} else {
			s.form = V1Resource
		}
		return s, nil
	}
	if n.Has("dashboard") && !inner.Is(Object) {
		return fail(inner, `"dashboard" is %s, an API export has the dashboard there`, inner.Kind())
	}
	return fail(n, "not a dashboard: %s", guess(n))
}

type shapeProblem struct {
	at  *Node
	msg string
}

// resource reads a Kubernetes-style envelope; ok is false if there is none.
func resource(n *Node) (s shape, ok bool, problem *shapeProblem) {
	api := n.Get("apiVersion")
	if !api.Is(String) || !strings.HasPrefix(api.Text(), apiGroup) {
		return s, false, nil
	}
	version := strings.TrimPrefix(api.Text(), apiGroup)
	if kind := n.Get("kind"); kind != nil && kind.Text() != "Dashboard" {
		if items := n.Get("items"); items.Is(Array) {
			return s, true, &shapeProblem{kind, fmt.Sprintf("a list of %d dashboards; write each into a file of its own", items.Len())}
		}
		return s, true, &shapeProblem{kind, fmt.Sprintf("kind %s of %s is not a dashboard", kind.Compact(), api.Text())}
	}
	spec := n.Get("spec")
	if !spec.Is(Object) {
		return s, true, &shapeProblem{orElse(spec, n), fmt.Sprintf("the resource's spec is %s; a dashboard is an object", spec.Kind())}
	}
	s = shape{root: spec, envelope: n, version: version}
	switch {
	case isV2Spec(spec):
		s.form = V2Resource
	case strings.HasPrefix(version, "v2"):
		return s, true, &shapeProblem{spec, fmt.Sprintf("the spec of %s has no %s", api.Text(), missingV2(spec))}
	case strings.HasPrefix(version, "v0"), strings.HasPrefix(version, "v1"):
		s.form = V1Resource
	default:
		return s, true, &shapeProblem{api, fmt.Sprintf("%s is a version that this lookout does not know; it reads v0alpha1, v1… and v2…", api.Compact())}
	}
	return s, true, nil
}

// content recognises a dashboard without an envelope. Hybrids that keep old panels next to elements count as V2: Grafana reads the elements.
func content(n *Node) (shape, bool) {
	switch {
	case isV2Spec(n):
		return shape{form: V2Spec, root: n}, true
	case looksLikeDashboard(n):
		return shape{form: Classic, root: n}, true
	}
	return shape{}, false
}

func isV2Spec(n *Node) bool { return n.Get("elements").Is(Object) && n.Get("layout").Is(Object) }

func missingV2(n *Node) string {
	for _, key := range []string{"elements", "layout"} {
		if !n.Get(key).Is(Object) {
			return `"` + key + `" (an object)`
		}
	}
	return ""
}

func orElse(n, other *Node) *Node {
	if n != nil {
		return n
	}
	return other
}

// guess says what a file is instead of a dashboard.
func guess(n *Node) string {
	has := func(keys ...string) bool {
		for _, k := range keys {
			if !n.Has(k) {
				return false
			}
		}
		return true
	}
	switch {
	case has("model") && (has("libraryPanel") || n.Get("kind").Is(Number)):
		return "it looks like a library panel"
	case has("targets", "type"), has("fieldConfig", "type"):
		return "it looks like a single panel; a dashboard holds panels in a list"
	case has("groups"):
		return "it looks like alert rules"
	case has("apiVersion", "kind"):
		return fmt.Sprintf("it is a resource of kind %s, version %s", n.Get("kind").Compact(), n.Get("apiVersion").Compact())
	case has("elements"):
		return `it has "elements", but no "layout" object`
	case has("layout"):
		return `it has "layout", but no "elements" object`
	case has("panels") && !n.Get("panels").Is(Array):
		return fmt.Sprintf(`"panels" is %s instead of an array`, n.Get("panels").Kind())
	case has("message") && n.Len() <= 4:
		return fmt.Sprintf("it looks like an error that Grafana answered: %s", n.Get("message").Compact())
	case n.Len() == 0:
		return "the object is empty"
	}
	return `it has neither "panels" nor "elements" and "layout"`
}
