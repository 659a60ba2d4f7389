package diff

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strconv"
	"strings"

	"lookout/internal/dashboard"
)

// fingerprints hash what a value means: the order of members and the way numbers are written don't count.
type fingerprints struct {
	seed maphash.Seed
	// skip leaves members of the top object out.
	skip map[string]bool
}

func (f *fingerprints) of(n *dashboard.Node) uint64 { return f.hash(n, true) }

func (f *fingerprints) hash(n *dashboard.Node, top bool) uint64 {
	switch n.Kind() {
	case dashboard.Object:
		var sum uint64 // order of members does not count
		for _, m := range n.Children() {
			if n.Get(m.Key()) != m || top && f.skip[m.Key()] || m.Key() == "pluginVersion" {
				continue
			}
			sum += mix(maphash.String(f.seed, m.Key()) ^ mix(f.hash(m, false)))
		}
		return sum + 1
	case dashboard.Array:
		h := uint64(7)
		for _, i := range n.Children() {
			h = mix(h ^ f.hash(i, false))
		}
		return h
	case dashboard.String:
		return maphash.String(f.seed, n.Text())
	case dashboard.Number:
		return maphash.String(f.seed, n.Compact()) + 3
	case dashboard.Bool:
		if n.Bool() {
			return 11
		}
		return 13
	case dashboard.Null:
		return 17
	}
	return 0
}

func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	return h * 0xc4ceb9fe1a85ec53
}

// matchItems finds for each item of n the item of o it was, -1 for a new one. Equal items are found first, wherever they stand; then those with the same
// identity; then the closest. The relative order of what is left decides where nothing else does.
func matchItems(o, n *dashboard.Node, identity func(*dashboard.Node) string, closeness func(o, n *dashboard.Node) float64) []int {
	from := make([]int, n.Len())
	taken := make([]bool, o.Len())
	for i := range from {
		from[i] = -1
	}
	take := func(i, j int) { from[i], taken[j] = j, true }

	f := fingerprints{seed: maphash.MakeSeed()}
	equal := map[uint64][]int{}
	for j, item := range o.Items() {
		h := f.of(item)
		equal[h] = append(equal[h], j)
	}
	hashes := make([]uint64, n.Len())
	for i, item := range n.Items() {
		hashes[i] = f.of(item)
		// The same value at the same place comes before the same value elsewhere.
		if i < o.Len() && slices.Contains(equal[hashes[i]], i) {
			take(i, i)
		}
	}
	for i := range from {
		if from[i] >= 0 {
			continue
		}
		for _, j := range equal[hashes[i]] {
			if !taken[j] {
				take(i, j)
				break
			}
		}
	}
	if identity != nil {
		byID := map[string][]int{}
		for j, item := range o.Items() {
			if id := identity(item); !taken[j] && id != "" {
				byID[id] = append(byID[id], j)
			}
		}
		count := map[string]int{}
		for i, item := range n.Items() {
			if from[i] < 0 {
				count[identity(item)]++
			}
		}
		for i, item := range n.Items() {
			id := identity(item)
			if from[i] < 0 && count[id] == 1 && len(byID[id]) == 1 && !taken[byID[id][0]] {
				if closeness == nil || closeness(o.At(byID[id][0]), item) >= closeEnough {
					take(i, byID[id][0])
				}
			}
		}
	}
	var left, right []int
	for i := range from {
		if from[i] < 0 {
			right = append(right, i)
		}
	}
	for j := range taken {
		if !taken[j] {
			left = append(left, j)
		}
	}
	if closeness == nil || len(left)*len(right) > maxWeighed {
		// Items without a name, such as the steps of thresholds, or very many: place decides.
		for len(left) > 0 && len(right) > 0 {
			take(right[0], left[0])
			left, right = left[1:], right[1:]
		}
		return from
	}
	for _, p := range assign(len(left), len(right), closeEnough, func(a, b int) float64 {
		return closeness(o.At(left[a]), n.At(right[b]))
	}) {
		take(right[p[1]], left[p[0]])
	}
	return from
}

// closeEnough is the closeness from which two things are one that changed rather than one that went and one that came.
const closeEnough = 0.45

// identity is what an item is known by within its array.
func (c *comparer) identity(kind entityKind, named bool) func(*dashboard.Node) string {
	if !named {
		return func(n *dashboard.Node) string {
			for _, key := range []string{"id", "name", "refId", "uid", "title", "alert", "record"} {
				if v := n.Get(key).Scalarish(); v != "" {
					return key + "=" + v
				}
			}
			return ""
		}
	}
	member := func(key string) func(*dashboard.Node) string {
		return func(n *dashboard.Node) string { return n.Get(key).Scalarish() }
	}
	switch kind {
	case targetEntity:
		return member("refId")
	case variableEntity, annotationEntity, inputEntity, groupEntity:
		return member("name")
	case overrideEntity:
		return func(n *dashboard.Node) string { return n.Get("matcher").Compact() }
	case ruleEntity:
		return func(n *dashboard.Node) string {
			if uid := n.Get("uid").Text(); uid != "" {
				return uid
			}
			return ruleName(n)
		}
	case linkEntity:
		return func(n *dashboard.Node) string { return n.Get("title").Text() + "\x00" + n.Get("url").Text() }
	}
	return member("id")
}

func ruleName(n *dashboard.Node) string {
	return cmp.Or(n.Get("alert").Text(), n.Get("record").Text(), n.Get("title").Text())
}

// closeness says how likely two items are one, 0 to 1; nil where place decides.
func (c *comparer) closeness(kind entityKind, named bool) func(o, n *dashboard.Node) float64 {
	if !named {
		return nil
	}
	text := func(key string) func(o, n *dashboard.Node) float64 {
		return func(o, n *dashboard.Node) float64 { return similar(o.Get(key).Scalarish(), n.Get(key).Scalarish()) }
	}
	switch kind {
	case targetEntity:
		return func(o, n *dashboard.Node) float64 {
			s := 0.6 * similarQueries(o.Get("expr").Text(), n.Get("expr").Text())
			// Whoever rewrites a query keeps its letter.
			if o.Get("refId").Text() == n.Get("refId").Text() {
				s += closeEnough
			} else {
				s += 0.2 * similar(o.Get("legendFormat").Text(), n.Get("legendFormat").Text())
			}
			if o.Get("expr").Text() == n.Get("expr").Text() && o.Has("expr") {
				s += 0.3
			}
			return s
		}
	case variableEntity:
		return func(o, n *dashboard.Node) float64 {
			s := 0.0
			if o.Get("name").Text() == n.Get("name").Text() {
				return 1
			}
			if o.Get("type").Text() == n.Get("type").Text() {
				s += 0.2
			}
			q := func(n *dashboard.Node) string { return n.Get("query").Compact() }
			return s + 0.3*similar(o.Get("name").Text(), n.Get("name").Text()) + 0.5*similarQueries(q(o), q(n))
		}
	case linkEntity:
		return func(o, n *dashboard.Node) float64 {
			return 0.5*similar(o.Get("title").Text(), n.Get("title").Text()) + 0.5*similar(o.Get("url").Text(), n.Get("url").Text())
		}
	case ruleEntity:
		return func(o, n *dashboard.Node) float64 {
			if uid := o.Get("uid").Text(); uid != "" && uid == n.Get("uid").Text() || ruleName(o) == ruleName(n) {
				return 1
			}
			return 0.5*similar(ruleName(o), ruleName(n)) + 0.5*similarQueries(o.Get("expr").Text(), n.Get("expr").Text())
		}
	case overrideEntity:
		return func(o, n *dashboard.Node) float64 {
			return 0.5*similar(o.Get("matcher").Compact(), n.Get("matcher").Compact()) + 0.5*similar(o.Get("properties").Compact(), n.Get("properties").Compact())
		}
	case transformationEntity:
		return text("id")
	}
	return text("name")
}

// similar compares two texts by their pairs of neighbouring letters (Dice's coefficient).
func similar(a, b string) float64 {
	if a == b {
		return 1
	}
	a, b = strings.ToLower(a), strings.ToLower(b)
	if len(a) < 2 || len(b) < 2 {
		return 0
	}
	seen := make(map[[2]byte]int, len(a))
	for i := range len(a) - 1 {
		seen[[2]byte{a[i], a[i+1]}]++
	}
	common := 0
	for i := range len(b) - 1 {
		p := [2]byte{b[i], b[i+1]}
		if seen[p] > 0 {
			seen[p]--
			common++
		}
	}
	return 2 * float64(common) / float64(len(a)+len(b)-2)
}

// similarQueries compares two queries by their words; metric names weigh what their length is.
func similarQueries(a, b string) float64 {
	if a == b {
		return 1
	}
	seen := map[string]int{}
	total, common := 0, 0
	for w := range words(a) {
		seen[w]++
		total += len(w)
	}
	for w := range words(b) {
		total += len(w)
		if seen[w] > 0 {
			seen[w]--
			common += 2 * len(w)
		}
	}
	if total == 0 {
		return 0
	}
	return float64(common) / float64(total)
}

func words(s string) func(func(string) bool) {
	return strings.FieldsFuncSeq(s, func(r rune) bool {
		return r != '_' && r != ':' && r != '$' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r < 0x80
	})
}

// panelKey is what a panel mostly is recognised by.
func panelKey(p *dashboard.Panel) string {
	var b strings.Builder
	b.WriteString(p.Type)
	b.WriteByte(0)
	b.WriteString(p.Title)
	for _, t := range p.Targets {
		b.WriteByte(0)
		b.WriteString(strings.Join(strings.Fields(t.Expr), ""))
	}
	return b.String()
}

// matchPanels decides which panel of the old version each new one was. Each step looks only at what the steps before have left, and pairs only
// what it can tell for sure; the last one weighs all that is known.
func (c *comparer) matchPanels() {
	left, right := slices.Clone(c.old.Panels), slices.Clone(c.new.Panels)
	pair := func(o, n *dashboard.Panel) {
		p := &panelPair{old: o, new: n}
		c.pairs = append(c.pairs, p)
		c.byOld[o.Node], c.byNew[n.Node] = p, p
	}
	shrink := func() {
		left = slices.DeleteFunc(left, func(p *dashboard.Panel) bool { return c.byOld[p.Node] != nil })
		right = slices.DeleteFunc(right, func(p *dashboard.Panel) bool { return c.byNew[p.Node] != nil })
	}
	// step pairs what has the same key. Of several with one key those pair up by their order if there are as many on both sides and ordered allows it.
	step := func(key func(*dashboard.Panel) string, ordered bool) {
		if len(left) == 0 || len(right) == 0 {
			return
		}
		olds, news := map[string][]*dashboard.Panel{}, map[string][]*dashboard.Panel{}
		for _, p := range left {
			if k := key(p); k != "" {
				olds[k] = append(olds[k], p)
			}
		}
		var keys []string
		for _, p := range right {
			k := key(p)
			if k == "" || olds[k] == nil {
				continue
			}
			if news[k] == nil {
				keys = append(keys, k)
			}
			news[k] = append(news[k], p)
		}
		for _, k := range keys {
			o, n := olds[k], news[k]
			if len(o) == 1 && len(n) == 1 || ordered && len(o) == len(n) {
				for i := range o {
					pair(o[i], n[i])
				}
			}
		}
		shrink()
	}
	content := fingerprints{seed: maphash.MakeSeed(), skip: map[string]bool{"id": true, "gridPos": true, "panels": true, "collapsed": true}}
	hashes := map[*dashboard.Panel]string{}
	hash := func(p *dashboard.Panel) string {
		if hashes[p] == "" {
			hashes[p] = strconv.FormatUint(content.of(p.Node), 36)
		}
		return hashes[p]
	}
	place := func(p *dashboard.Panel) string { return "\x00" + gridText(p.Grid) }
	row := func(p *dashboard.Panel) string { return "\x00" + p.Row.Name() }
	id := func(p *dashboard.Panel) string {
		if !p.HasID {
			return ""
		}
		return "\x00" + strconv.FormatInt(p.ID, 10)
	}
	// The usual panel did not change at all; among twins those that stayed in place, or kept their id, are the same.
	step(func(p *dashboard.Panel) string { return hash(p) + place(p) + id(p) }, false)
	step(func(p *dashboard.Panel) string { return hash(p) + row(p) + place(p) }, false)
	step(func(p *dashboard.Panel) string { return hash(p) + row(p) + id(p) }, false)
	step(hash, true)
	withID := func(key func(*dashboard.Panel) string) func(*dashboard.Panel) string {
		return func(p *dashboard.Panel) string {
			if !p.HasID {
				return ""
			}
			return key(p) + id(p)
		}
	}
	named := func(p *dashboard.Panel) string {
		if p.Title == "" && len(p.Targets) == 0 && !p.IsRow() {
			return "" // nothing to go by
		}
		return panelKey(p)
	}
	step(withID(named), false)
	step(func(p *dashboard.Panel) string { return suffix(named(p), row(p)) }, false)
	step(func(p *dashboard.Panel) string { return suffix(named(p), place(p)) }, false)
	step(named, true)
	title := func(p *dashboard.Panel) string {
		if p.Title == "" {
			return ""
		}
		return p.Title + "\x00" + p.Type
	}
	step(withID(title), false)
	c.rowsByPanels(left, right, pair)
	shrink()
	c.weigh(left, right, pair)
	shrink()
	for _, p := range right {
		np := &panelPair{new: p}
		c.pairs, c.byNew[p.Node] = append(c.pairs, np), np
	}
	for _, p := range left {
		op := &panelPair{old: p}
		c.pairs, c.byOld[p.Node] = append(c.pairs, op), op
	}
}

// rowsByPanels pairs rows and tabs that hold the same panels: their titles alone changed.
func (c *comparer) rowsByPanels(left, right []*dashboard.Panel, pair func(o, n *dashboard.Panel)) {
	type both struct{ o, n *dashboard.Panel }
	shared := map[both]int{}
	was, is := map[*dashboard.Panel]int{}, map[*dashboard.Panel]int{}
	for _, p := range c.old.Panels {
		if p.Row != nil && !p.IsRow() {
			was[p.Row]++
		}
	}
	for _, p := range c.new.Panels {
		if p.Row == nil || p.IsRow() {
			continue
		}
		is[p.Row]++
		if known := c.byNew[p.Node]; known != nil && known.old.Row != nil {
			shared[both{known.old.Row, p.Row}]++
		}
	}
	for _, n := range right {
		for _, o := range left {
			if n.IsRow() && o.IsRow() && c.byNew[n.Node] == nil && c.byOld[o.Node] == nil && shared[both{o, n}] > 0 && o.Tab == n.Tab &&
				2*shared[both{o, n}] > max(was[o], is[n]) {
				pair(o, n)
			}
		}
	}
}

func suffix(key, s string) string {
	if key == "" {
		return ""
	}
	return key + s
}

// maxWeighed bounds the tables of what is weighed against each other, so that a hostile file costs no minutes. Beyond it panels pair up by title and row alone.
const maxWeighed = 40_000

func (c *comparer) weigh(left, right []*dashboard.Panel, pair func(o, n *dashboard.Panel)) {
	if len(left) == 0 || len(right) == 0 {
		return
	}
	if len(left)*len(right) > maxWeighed {
		byKey := map[string][]*dashboard.Panel{}
		for _, p := range left {
			k := p.Type + "\x00" + p.Title + "\x00" + p.Row.Name()
			byKey[k] = append(byKey[k], p)
		}
		for _, p := range right {
			k := p.Type + "\x00" + p.Title + "\x00" + p.Row.Name()
			if olds := byKey[k]; len(olds) > 0 {
				pair(olds[0], p)
				byKey[k] = olds[1:]
			}
		}
		return
	}
	for _, p := range assign(len(left), len(right), closeEnough, func(a, b int) float64 { return likeness(left[a], right[b]) }) {
		pair(left[p[0]], right[p[1]])
	}
}

// likeness says how likely two panels are one, 0 to 1. What a panel asks and what it is called weigh most. Its id and its place only decide between equals.
func likeness(o, n *dashboard.Panel) float64 {
	if o.IsRow() != n.IsRow() {
		return 0
	}
	var weight, sum float64
	add := func(w, s float64) { weight += w; sum += w * s }
	title := similar(o.Title, n.Title)
	if o.Title != "" || n.Title != "" {
		add(4, title)
	}
	if o.IsRow() {
		if o.HasID && n.HasID && o.ID == n.ID {
			sum += 0.6
		}
		if o.Grid == n.Grid {
			sum += 0.8
		}
		return min(sum/max(weight, 1), 1)
	}
	if len(o.Targets) > 0 || len(n.Targets) > 0 {
		q := likeQueries(o, n)
		add(5, q)
		if q == 1 && title < 0.5 && tellingQueries(o) {
			sum += 1.5 // a new title for the very same queries
		}
	} else if a, b := contentText(o), contentText(n); a != "" || b != "" {
		add(4, similar(a, b))
	}
	if o.Type == n.Type {
		add(1, 1)
	} else {
		add(1, 0)
	}
	s := sum / weight
	if o.HasID && n.HasID && o.ID == n.ID {
		s += 0.06
	}
	if o.Grid == n.Grid {
		s += 0.06
	}
	if o.Row.Name() == n.Row.Name() {
		s += 0.04
	}
	return min(s, 1)
}

// tellingQueries tells whether a panel's queries say enough to know it by them.
func tellingQueries(p *dashboard.Panel) bool {
	for _, t := range p.Targets {
		if len(t.Expr) > 8 {
			return true
		}
	}
	return false
}

func contentText(p *dashboard.Panel) string {
	return cmp.Or(p.Node.Path("options", "content").Text(), p.Node.Get("content").Text(), p.Node.Get("url").Text())
}

func likeQueries(o, n *dashboard.Panel) float64 {
	if len(o.Targets) == 0 || len(n.Targets) == 0 {
		return 0
	}
	if len(o.Targets) == 1 && len(n.Targets) == 1 {
		return similarQueries(o.Targets[0].Expr, n.Targets[0].Expr)
	}
	// Each query of the smaller panel finds its best in the larger one.
	a, b := o.Targets, n.Targets
	if len(a) > len(b) {
		a, b = b, a
	}
	const enough = 24
	if len(a) > enough {
		a = a[:enough]
	}
	sum := 0.0
	for _, t := range a {
		best := 0.0
		for _, u := range b {
			best = max(best, similarQueries(t.Expr, u.Expr))
			if best == 1 {
				break
			}
		}
		sum += best
	}
	return sum / float64(len(a)) * (0.6 + 0.4*float64(len(a))/float64(len(b)))
}

func gridText(g dashboard.Grid) string {
	return itoa(g.X) + "," + itoa(g.Y) + " " + itoa(g.W) + "×" + itoa(g.H)
}

func itoa(i int) string { return strconv.Itoa(i) }
