package diff

import (
	"slices"
)

// itemOrders gives the changed order of other arrays to an event. If items came or went the order belongs to their event; if they only stand in another
// order, that is a change of its own where order shows.
func (c *comparer) itemOrders(orders []*change, events *[]Event, ignore func(*change, string)) {
	for _, ch := range orders {
		if ch.taken {
			continue
		}
		if at := c.ownerOf(ch, *events); at >= 0 {
			(*events)[at].Changes = append((*events)[at].Changes, ch.Change)
			continue
		}
		if why := c.ignorableOrder(ch); why != "" {
			ignore(ch, why)
			continue
		}
		e := Event{Dashboard: c.new.Name(), File: c.new.File(), Changes: []Change{ch.Change}}
		c.subject(&e, ch.entity)
		e.Kind, e.what = c.orderKind(ch)
		*events = append(*events, e)
	}
}

// ownerOf finds the event that tells of the items that came or went, -1 if there is none: then they were ignored, or the items only changed places.
func (c *comparer) ownerOf(ch *change, events []Event) int {
	came := slices.Contains(ch.Order, "")
	under := func(path, array string) bool {
		return array != "" && len(path) > len(array) && path[:len(array)] == array && path[len(array)] == '/'
	}
	for i := range events {
		for _, e := range events[i].Changes {
			if e.Order != nil {
				continue
			}
			if e.OldPath == "" && came && under(e.Path, ch.Path) || e.Path == "" && under(e.OldPath, ch.OldPath) {
				return i
			}
		}
	}
	return -1
}

func (c *comparer) ignorableOrder(ch *change) string {
	if slices.Contains(ch.Order, "") || len(ch.Order) != c.top.old.Find(ch.OldPath).Len() {
		return "follows from what is ignored in it"
	}
	last := ch.rel[len(ch.rel)-1]
	switch {
	case last == "tags":
		return "tags have no order"
	case last == "properties", last == "__inputs", last == "__requires":
		return "the order says nothing"
	case c.rules:
		return "the order of rules and groups says nothing"
	}
	return ""
}

func (c *comparer) orderKind(ch *change) (Kind, string) {
	kind, _ := c.itemKind(ch.entity, ch.rel)
	switch {
	case kind == targetEntity:
		return QueryOrder, "queries stand in another order"
	case kind == variableEntity:
		return VariableOrder, "variables stand in another order"
	case kind == annotationEntity:
		return AnnotationKind, "annotations stand in another order"
	case kind == linkEntity:
		return LinkKind, "links stand in another order"
	case kind == overrideEntity:
		return Override, "overrides stand in another order"
	case kind == transformationEntity:
		return Transformation, "transformations stand in another order"
	}
	k, _ := c.classify(ch)
	return k, leafName(ch) + " stands in another order"
}
