package lint

import "testing"

func TestVectorMatching(t *testing.T) {
	judge(t, "vector-matching", []string{
		`sum by (a) (x) / sum by (b) (y)`,
		`sum(x) / count by (a) (y)`,
		`sum by (a) (x) + on (b) y`,
		`sum by (a) (x) and sum by (b) (y)`,
		`histogram_quantile(0.9, sum by (le, a) (rate(x_bucket[5m]))) / sum by (b) (y)`,
		`sum by (a, b) (x) / sum by (a) (y)`,
		`y * on (b) group_left sum by (a) (x)`,
	}, []string{
		`sum by (a, b) (x) / on (a) group_left sum by (a) (y)`,
		`sum by (a, b) (x) / ignoring (b) group_left sum by (a) (y)`,
		`sum by (a) (x) / y`,
		`sum without (a) (x) / sum by (b) (y)`,
		`sum by ($a) (x) / sum by (b) (y)`,
		`sum by (a) (label_replace(x, "b", "$1", "c", "(.*)")) / sum by (a) (y)`,
		`label_replace(sum by (a) (x), "b", "$1", "a", "(.*)") / sum by (b) (y)`,
		`sum by (a) (x) / scalar(sum(y))`,
		`topk(3, sum by (a) (x)) / sum by (a) (y)`,
		`sum by (a) (x) / on() group_left sum(y)`,
		`sum(x) or vector(0)`,
		`sum(x) / count(y)`,
		`sum by (b, a) (x) / sum by (a, b) (y)`,
		`sum(x) * on () vector(1)`,
		`(sum by (a) (x) / on (a) sum by (a) (y)) / sum by (a) (z)`,
	})
}
