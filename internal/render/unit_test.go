package render

import (
	"maps"
	"math"
	"slices"
	"testing"
	"time"
)

// What is expected here is what Grafana's unit picker shows for the same value.
func TestUnits(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		unit     string
		value    float64
		decimals int
		want     string
	}{
		{"", 3, -1, "3"},
		{"", 3.14159, -1, "3.14"},
		{"", 31.4159, -1, "31.4"},
		{"", 314.159, -1, "314"},
		{"none", 1234567, -1, "1234567"},
		{"none", 0.00012345, -1, "0.000123"},
		{"none", math.Copysign(0, -1), 2, "0.00"},
		{"none", -0.0001, 2, "0.00"},
		{"short", 1234567, -1, "1.23 Mil"},
		{"short", 1e9, -1, "1 Bil"},
		{"short", 999, -1, "999"},
		{"short", -1500, -1, "-1.50 K"},
		{"percent", 42.25, 1, "42.3%"},
		{"percentunit", 0.5, -1, "50%"},
		{"percentunit", 0.98765, 2, "98.77%"},
		{"bytes", 0, -1, "0 B"},
		{"bytes", 1023, -1, "1023 B"},
		{"bytes", 1 << 30, -1, "1 GiB"},
		{"bytes", 1.5e9, -1, "1.40 GiB"},
		{"decbytes", 1.5e9, -1, "1.50 GB"},
		{"kbytes", 2048, -1, "2 MiB"},
		{"bits", 2048, -1, "2 Kib"},
		{"decbits", 2000, -1, "2 kb"},
		{"Bps", 1500, -1, "1.50 kB/s"},
		{"binBps", 1536, -1, "1.50 KiB/s"},
		{"bps", 1e6, -1, "1 Mb/s"},
		{"pps", 12345, -1, "12.3 kp/s"},
		{"MBs", 1.5, -1, "1.50 MB/s"},
		{"s", 0, -1, "0 s"},
		{"s", 0.25, -1, "250 ms"},
		{"s", 0.00042, -1, "420 µs"},
		{"s", 12e-9, -1, "12 ns"},
		{"s", 90, -1, "1.50 min"},
		{"s", 7200, -1, "2 hour"},
		{"s", 86400 * 3, -1, "3 day"},
		{"s", 86400 * 14, -1, "2 week"},
		{"s", 31536000, -1, "0.999 year"}, // years begin after 365 days and are those of the sun
		{"s", -0.25, -1, "-250 ms"},
		{"ms", 0, -1, "0 ms"},
		{"ms", 1500, -1, "1.50 s"},
		{"µs", 2500, -1, "2.50 ms"},
		{"ns", 1e6, -1, "1 ms"},
		{"m", 90, -1, "1.50 hour"},
		{"h", 36, -1, "1.50 day"},
		{"d", 14, -1, "2 week"},
		{"hertz", 2.4e9, -1, "2.40 GHz"},
		{"reqps", 1234, -1, "1.23K req/s"},
		{"reqps", 0.5, -1, "0.500 req/s"},
		{"ops", 12, -1, "12 ops/s"},
		{"iops", 5e6, -1, "5M io/s"},
		{"rps", 7, -1, "7 rd/s"},
		{"wps", 7, -1, "7 wr/s"},
		{"cps", 7, -1, "7 c/s"},
		{"opm", 7, -1, "7 ops/m"},
		{"celsius", 21.5, -1, "21.5 °C"},
		{"watt", 1500, -1, "1.50 kW"},
		{"volt", 0.012, -1, "12 mV"},
		{"volt", 0, -1, "0 V"},
		{"amp", 3, -1, "3 A"},
		{"currencyUSD", 1500, -1, "$1.50K"},
		{"bool", 1, -1, "True"},
		{"bool_on_off", 0, -1, "Off"},
		{"bool:up/down", 0, -1, "down"},
		{"hex", 255, -1, "FF"},
		{"hex0x", 255, -1, "0xFF"},
		{"locale", 1234567.5, 1, "1,234,567.5"},
		{"dateTimeAsIso", 1767323045000, -1, "2026-01-02 03:04:05"},
		{"dateTimeFromNow", 1767323045000 - 7200e3, -1, "2 hours ago"},
		{"dtdurations", 90061, 1, "1 day, 1 hour"},
		{"clocks", 3661, -1, "01h:01m:01s:000ms"},
		{"clocks", 3661, 1, "01h:01m"},
		{"dtdhms", 90061, -1, "1 d 01:01:01"},
		{"dthms", 3661, -1, "01:01:01"},
		{"ms", 0.5, -1, "0.500 ms"},
		{"ms", 15 * 86400e3, -1, "15 day"},
		{"m", 0.5, -1, "0.500 min"},
		{"Bps", 0.5, -1, "500 mB/s"},
		{"pps", 0.2, -1, "200 mp/s"},
		{"kbytes", 0.5, -1, "512 B"},
		{"short", 4.2e21, -1, "4.20 Sext"},
		{"bytes", 3.5e21, -1, "2.96 ZiB"},
		{"short", 3e-9, -1, "3e-9"},
		{"none", 1e-12, -1, "1e-12"},
		{"none", 1.23456789e36, -1, "1.23457e+36"},
		{"percentunit", 1e36, -1, "1e+38%"},
		{"none", 1e300, -1, "1e+300"},
		{"bytes", 1e300, -1, "8.27181e+275 YiB"},
		{"currencyUSD", -1500, -1, "-$1.50K"},
		{"currencySEK", 1500, -1, "1.50Kkr"},
		{"dBm", -60, -1, "-60 dBm"},
		{"sci", 1500, 2, "1.50e+3"},
		{"dateTimeAsIsoNoDateIfToday", 1767323045000, -1, "03:04:05"},
		{"time:YYYY-MM", 1767323045000, -1, "2026-01"},
		{"bool:up", 0, -1, "-"},
		{"suffix:orders", 3, -1, "3 orders"},
		{"prefix:~", 3, -1, "~3"},
		{"count:orders", 3000, -1, "3K orders"},
		{"si:mW", 1500, -1, "1.50 W"},
		{"threads", 8, -1, "8 threads"},
		{"bytes", math.NaN(), -1, "NaN"},
		{"s", math.Inf(1), -1, "+∞"},
		{"s", math.Inf(-1), -1, "-∞"},
	} {
		if got := formatUnit(c.unit, c.value, c.decimals, time.UTC, now).String(); got != c.want {
			t.Errorf("%v in %q with %d decimals: %q, want %q", c.value, c.unit, c.decimals, got, c.want)
		}
	}
}

// allUnits are those of the table, those with rules of their own, and some that make no sense.
func allUnits() []string {
	units := []string{
		"hex", "hex0x", "sci", "locale", "string", "dateTimeAsIso", "dateTimeAsUS", "dateTimeFromNow", "dtdurations", "dtdurationms", "clocks", "dthms",
		"bool", "bool_yes_no", "bool:a/b", "bool:", "si:", "si:k", "prefix:", "currency:", "currencyUSD", ":", "time:", "time:YYYY", "no such unit", "报警",
	}
	return slices.AppendSeq(units, maps.Keys(scales))
}

func TestEveryUnitOnAnAxis(t *testing.T) {
	for _, unit := range allUnits() {
		for _, logBase := range []string{"", `"scaleDistribution":{"type":"log","log":2},`} {
			d := parse(t, `{"title":"d","panels":[{"type":"timeseries","targets":[{"refId":"A","expr":"x"}],"gridPos":{"x":0,"y":0,"w":12,"h":8},
				"fieldConfig":{"defaults":{"unit":"`+unit+`","min":0,"max":12,"custom":{`+logBase+`"lineWidth":1}}}}]}`)
			for _, v := range []float64{0, 0.3, 7, 1e9} {
				opts := anHour
				checkSVG(t, mustSVG(t, d, opts))
				opts.Prometheus = constant{value: v}
				checkSVG(t, mustSVG(t, d, opts))
			}
		}
	}
}

func TestNoUnitBreaksOnExtremes(t *testing.T) {
	for _, unit := range allUnits() {
		for _, v := range []float64{0, 1, -1, math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, 1e15, 1 << 62, -1e-300} {
			if got := formatUnit(unit, v, -1, time.UTC, time.Time{}).String(); got == "" && unit != "bool:" {
				t.Errorf("%v in %q gives nothing", v, unit)
			}
		}
	}
}
