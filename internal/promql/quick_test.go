package promql

import (
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"lookout/internal/dashboard"
	"lookout/internal/dashboard/dashtest"
)

// same tells the difference of two trees. Whether a matcher's expression is compiled is none: see Expr.Tree.
func same(a, b parser.Expr) string {
	return cmp.Diff(a, b,
		cmpopts.IgnoreUnexported(parser.VectorSelector{}, parser.AggregateExpr{}, parser.BinaryExpr{}),
		cmp.Comparer(func(a, b *labels.Matcher) bool { return a.Type == b.Type && a.Name == b.Name && a.Value == b.Value }),
		cmp.Comparer(func(a, b *parser.Function) bool { return a == b }))
}

// agree holds the tree of quick, if it makes one, against that of Prometheus' parser.
func agree(t *testing.T, p *Parser, text string) (read bool) {
	t.Helper()
	tree := p.quick(text)
	if tree == nil {
		return false
	}
	want, err := p.parseFully(text)
	if err != nil {
		t.Fatalf("%q was read, but Prometheus says %v", text, err)
	}
	if diff := same(want, tree); diff != "" {
		t.Fatalf("%q (-Prometheus, +quick):\n%s", text, diff)
	}
	return true
}

// TestQuickReadsTheQueriesOfDashboards takes generated dashboards and, given LOOKOUT_CORPUS as TestCorpus is, real ones.
func TestQuickReadsTheQueriesOfDashboards(t *testing.T) {
	p := NewParser()
	var all, read int
	look := func(d *dashboard.Dashboard) {
		for q := range d.Queries() {
			e := p.Parse(q.Text, nil)
			s := &p.scanner
			s.reset(q.Text, nil)
			s.scan()
			s.plan()
			text, _ := s.fill(make([]int, len(s.holes)))
			if e.Tree == nil {
				// Whatever is refused in full may not have been read.
				agree(t, p, text)
				continue
			}
			all++
			if agree(t, p, text) {
				read++
			}
		}
	}
	for _, f := range dashtest.Collection(1, 40, dashtest.Metrics(1, 2000)) {
		if d, err := dashboard.Load(f.Name, f.Data); err == nil {
			look(d)
		}
	}
	if all < 500 || read < all*9/10 {
		t.Errorf("%d of %d queries were read", read, all)
	}
	corpus := os.Getenv("LOOKOUT_CORPUS")
	if corpus == "" {
		return
	}
	found, err := dashboard.FindExt([]string{corpus}, ".json")
	if err != nil {
		t.Fatal(err)
	}
	all, read = 0, 0
	for _, file := range found.Files {
		if loaded := dashboard.LoadFile(file); loaded.Err == nil {
			look(loaded.Dashboard)
		}
	}
	t.Logf("%d of %d queries of the corpus were read, and agree", read, all)
}

// FuzzQuick holds the two parsers against each other on whatever the fuzzer makes of these queries.
func FuzzQuick(f *testing.F) {
	for _, seed := range []string{
		`sum by (job) (rate(http_requests_total{code=~"5..",job!="x"}[5m])) / ignoring(code) group_left(a) up > bool 1`,
		`histogram_quantile(0.95, sum without (instance) (rate(a_bucket[1h30m]))) or -b and on() c unless d`,
		`topk(3, a) * 1e3 == 0x1F`, `label_replace(up, "a", "$1", "b", "(.*)")`, `{__name__=~"a|b"}`, `quantile(.5, avg_over_time(a[1m]))`,
	} {
		f.Add(seed)
	}
	p := NewParser()
	f.Fuzz(func(t *testing.T, text string) { agree(t, p, text) })
}

func TestQuick(t *testing.T) {
	p := NewParser()
	for _, text := range []string{
		`up`, `a:b:c`, `up{}`, `up{a="b"}`, ` up { a = "b" , c!~'d|e.+' , } `, `{__name__="up"}`, `{a=~"bcde.*"}`, `rate(x[5m])`, `rate( x{a=~"b"} [ 5m ] )`, `-1`, `- 1.5 * -x`, `+x`,
		`a + b * c - d`, `a or b and c unless d or e`, `a == bool b`, `1 == bool 2`, `a > 1 < 2`, `a / on(x) group_left() b`, `a / on (x, y) group_right (z) (b)`, `a * ignoring() b`, `a and on() b`,
		`sum(x)`, `sum(x) by (a)`, `sum by (a,b) (x)`, `sum without() (x)`, `sum( sum(x) )`, `(sum(x) )`, `topk(5, x)`, `quantile(0.9, x) without (a)`, `sum(sum(x)) by (a)`, `count(x) > 1`,
		`histogram_quantile(0.99, sum by (le) (rate(x_bucket[1h])))`, `label_replace(x, "a", "$1", 'b', "(.*)")`, `time()`, `day_of_week()`, `day_of_week(x)`, `round(x, 5)`, `vector(1)`,
		`clamp(x, 0, 1)`, `holt_winters(x[5m], 0.5, 0.5)`, `absent(x{a!="b"})`, `scalar(x) + 1`, `1 * on() group_left() x`, `label_join(x, "a", "b", "c", "d")`, `x % 2`, `pi() * 2`, `SUM(x)`,
	} {
		if !agree(t, p, text) {
			t.Errorf("%q was not read", text)
		}
	}
	// What is wrong, and what only Prometheus' parser knows.
	for _, text := range []string{
		``, `x # y`, `sum`, `sum(x,)`, `sum(x, y)`, `sum(x[5m])`, `rate(x)`, `topk(x, y)`, `x{a="b" c="d"}`, `x{,}`, `x{__name__="y"}`, `{}`, `{a=""}`, `{a=~".*"}`, `{a!="b"}`, `x{a=~"("}`, `x{a:b="c"}`,
		`x[5m]]`, `x[0m]`, `x[5m`, `(x)[5m]`, `x[5m:1m]`, `x offset 5m`, `x @ 1`, `x ^ 2`, `1e3`, `0x1f`, `010`, `5m`, `1 == 2`, `x == bool`, `x + bool y`, `x and 1`, `x and on(a) group_left() y`,
		`x + on(a) 1`, `x * on(a) group_left(a) y`, `"a" + x`, `x y`, `x)`, `(x`, `sum BY (a) (x)`, `by`, `inf`, `foo(x)`, `info(x)`, `x{"a"="b"}`, `{"x"}`, `x{a="\n"}`, "x{a=`b`}", `--x`, `x == = y`,
		`sum by (a,) (x)`, `sum by (group) (x)`, `x </ y`, `x atan2 y`, `rate(x[5m]) + x[5m]`, "x\x00", `x{a="ü"}`, strings.Repeat("(", 100) + "x" + strings.Repeat(")", 100),
	} {
		if agree(t, p, text) {
			t.Errorf("%q was read", text)
		}
	}
}

// Queries by chance, most of them right and many with one word too many, too few or in the wrong place.
func TestQuickOnQueriesByChance(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	p := NewParser()
	words := strings.Split(`( ) { } [ ] , + - * / % == != < > <= >= = =~ !~ and or unless bool on ignoring group_left group_right by without offset sum topk quantile rate time round x y:z le 5m 1h 0 1 2.5 0.9 "a" 'b.+' "" [5m] [5m:1m] (a) () {a="b"} {a!="b",c=~"d.*e"} @ ^ # inf $`, " ")
	read := 0
	for range 60000 {
		toks := strings.Fields(chance(r, 4))
		if r.IntN(3) == 0 {
			at := r.IntN(len(toks))
			switch r.IntN(4) {
			case 0:
				toks = append(toks[:at], toks[at+1:]...)
			case 1:
				toks = append(toks[:at], append([]string{words[r.IntN(len(words))]}, toks[at:]...)...)
			case 2:
				toks[at] = words[r.IntN(len(words))]
			default:
				other := r.IntN(len(toks))
				toks[at], toks[other] = toks[other], toks[at]
			}
		}
		sep := " "
		if r.IntN(2) == 0 {
			sep = []string{"", "\n", "  "}[r.IntN(3)]
		}
		if agree(t, p, strings.Join(toks, sep)) {
			read++
		}
	}
	if read < 15000 {
		t.Errorf("only %d were read, so this shows little", read)
	}
}

// chance is a query whose words stand apart.
func chance(r *rand.Rand, depth int) string {
	one := func(list ...string) string { return list[r.IntN(len(list))] }
	labels := func() string { return one("( )", "( a )", "( a , le )") }
	selector := func() string {
		return one("x", "y:z", "x { }", `x { a = "b" }`, `{ a =~ "bcdef" , c != "" }`, `x { a =~ '.+' , b !~ "c|d" , }`)
	}
	if depth == 0 {
		return one("1", "0.5", selector(), selector(), "time ( )", "- 1")
	}
	sub := func() string { return chance(r, depth-1-r.IntN(depth)) }
	switch r.IntN(9) {
	case 0:
		return one("sum", "max", "count", "group") + " ( " + sub() + " )" + one("", " by "+labels(), " without "+labels())
	case 1:
		return one("sum", "avg") + one("", " by "+labels(), " without "+labels()) + " ( " + sub() + " )"
	case 2:
		return one("topk ( 5 , ", "quantile ( 0.9 , ", "histogram_quantile ( 0.9 , ") + sub() + " )"
	case 3:
		return one("rate", "increase", "avg_over_time") + " ( " + selector() + " [ " + one("5m", "1h", "100ms", "1y") + " ] )"
	case 4:
		return "( " + sub() + " )"
	case 5:
		return one("-", "+") + " " + sub()
	case 6:
		return one("abs", "round", "vector", "scalar", "absent", "day_of_week") + " ( " + sub() + " )"
	default:
		op := one("+", "-", "*", "/", "%", "==", "!=", "<", ">", "<=", ">=", "== bool", "and", "or", "unless")
		return sub() + " " + op + one("", "", " on "+labels(), " ignoring "+labels(), " on "+labels()+" group_left "+labels(), " ignoring "+labels()+" group_right") + " " + sub()
	}
}
