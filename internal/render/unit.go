package render

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// formatted is a value as people read it: prefix and suffix are apart since a stat panel draws them smaller.
type formatted struct{ prefix, text, suffix string }

func (f formatted) String() string { return f.prefix + f.text + f.suffix }

// scale is one way of writing numbers of a unit.
type scale struct {
	// factor is what the value is multiplied by first.
	factor float64
	// steps are where a larger unit takes over, each with its suffix; ascending. The first one holds for smaller values, too.
	steps []scaleStep
	// tail is written after the step's suffix.
	tail string
}

type scaleStep struct {
	from   float64
	suffix string
}

func (s scale) pick(v float64) scaleStep {
	v = math.Abs(v)
	out := s.steps[0]
	for _, st := range s.steps[1:] {
		// What would be rounded up to the next step is written in it.
		if v < st.from*(1-1e-9) {
			break
		}
		out = st
	}
	return out
}

func steps(base float64, exponent int, suffixes ...string) []scaleStep {
	out := make([]scaleStep, len(suffixes))
	for i, s := range suffixes {
		out[i] = scaleStep{math.Pow(base, float64(i+exponent)), s}
	}
	return out
}

// plain is a unit without prefixes: 1500 rpm.
func plain(suffix string) scale { return scale{1, []scaleStep{{1, suffix}}, ""} }

// si is a unit with metric prefixes; offset is the exponent the value comes in: 1 for kilo, -1 for milli.
func si(symbol string, offset int) scale {
	return scale{math.Pow(1000, float64(offset)), steps(1000, -4, " p"+symbol, " n"+symbol, " µ"+symbol, " m"+symbol, " "+symbol, " k"+symbol, " M"+symbol, " G"+symbol, " T"+symbol, " P"+symbol, " E"+symbol)[offsetOfPico(symbol):], ""}
}

// Bits, bytes and packets are not divided; a thousandth of them is written as a decimal.
func offsetOfPico(symbol string) int {
	if strings.HasPrefix(symbol, "b") || strings.HasPrefix(symbol, "B") || strings.HasPrefix(symbol, "p/") {
		return 4
	}
	return 0
}

func iec(symbol string, offset int) scale {
	return scale{math.Pow(1024, float64(offset)), steps(1024, 0, " "+symbol, " Ki"+symbol, " Mi"+symbol, " Gi"+symbol, " Ti"+symbol, " Pi"+symbol, " Ei"+symbol), ""}
}

// count is a number of things: 1.5K req/s.
func count(symbol string) scale {
	return scale{1, steps(1000, 0, "", "K", "M", "B", "T"), " " + symbol}
}

// duration is a time that comes in units of factor seconds. Its names are Grafana's.
func duration(factor float64) scale {
	return scale{factor, []scaleStep{
		{1e-9, " ns"}, {1e-6, " µs"}, {1e-3, " ms"}, {1, " s"}, {60, " min"}, {3600, " hour"}, {86400, " day"}, {604800, " week"}, {31536000, " year"},
	}, ""}
}

// scales are the units by the ids that dashboards use, as far as they are scaled numbers; those with rules of their own are in formatUnit. The ids and how
// they are written are those of Grafana's unit picker.
var scales = map[string]scale{
	"none":  plain(""),
	"short": {1, steps(1000, 0, "", " K", " Mil", " Bil", " Tri", " Quadr", " Quint"), ""},

	"percent": plain("%"), "percentunit": {100, []scaleStep{{1, "%"}}, ""}, "humidity": plain(" %H"), "dB": plain(" dB"), "dBm": plain(" dBm"),

	"bytes": iec("B", 0), "kbytes": iec("B", 1), "mbytes": iec("B", 2), "gbytes": iec("B", 3), "tbytes": iec("B", 4), "pbytes": iec("B", 5),
	"decbytes": si("B", 0), "deckbytes": si("B", 1), "decmbytes": si("B", 2), "decgbytes": si("B", 3), "dectbytes": si("B", 4), "decpbytes": si("B", 5),
	"bits": iec("b", 0), "decbits": si("b", 0),

	"binBps": iec("B/s", 0), "Bps": si("B/s", 0), "binbps": iec("b/s", 0), "bps": si("b/s", 0), "pps": si("p/s", 0),
	"KiBs": iec("B/s", 1), "MiBs": iec("B/s", 2), "GiBs": iec("B/s", 3), "TiBs": iec("B/s", 4),
	"KBs": si("B/s", 1), "MBs": si("B/s", 2), "GBs": si("B/s", 3), "TBs": si("B/s", 4),
	"Kibits": iec("b/s", 1), "Mibits": iec("b/s", 2), "Gibits": iec("b/s", 3), "Tibits": iec("b/s", 4),
	"Kbits": si("b/s", 1), "Mbits": si("b/s", 2), "Gbits": si("b/s", 3), "Tbits": si("b/s", 4),

	"ns": duration(1e-9), "µs": duration(1e-6), "us": duration(1e-6), "ms": duration(1e-3), "s": duration(1), "m": duration(60), "h": duration(3600), "d": duration(86400),
	"timeticks": duration(0.01), "hertz": si("Hz", 0), "rotrpm": plain(" rpm"), "rothz": si("Hz", 0),

	"cps": count("c/s"), "ops": count("ops/s"), "reqps": count("req/s"), "rps": count("rd/s"), "wps": count("wr/s"), "iops": count("io/s"), "eps": count("evt/s"),
	"mps": count("msg/s"), "recps": count("rec/s"), "rowsps": count("rows/s"),
	"cpm": count("c/m"), "opm": count("ops/m"), "reqpm": count("req/m"), "rpm": count("rd/m"), "wpm": count("wr/m"), "epm": count("evt/m"),

	"celsius": plain(" °C"), "fahrenheit": plain(" °F"), "kelvin": plain(" K"),
	"volt": si("V", 0), "mvolt": si("V", -1), "kvolt": si("V", 1), "amp": si("A", 0), "mamp": si("A", -1), "watt": si("W", 0), "kwatt": si("W", 1), "mwatt": si("W", -1),
	"voltamp": si("VA", 0), "kvoltamp": si("VA", 1), "watth": si("Wh", 0), "kwatth": si("Wh", 1), "joule": si("J", 0), "ev": si("eV", 0), "ohm": si("Ω", 0), "farad": si("F", 0),
	"lengthmm": si("m", -1), "lengthm": si("m", 0), "lengthkm": si("m", 1), "massmg": si("g", -1), "massg": si("g", 0), "masskg": si("g", 1), "litre": si("L", 0), "mlitre": si("L", -1),
	"velocityms": plain(" m/s"), "velocitykmh": plain(" km/h"), "pressurehpa": plain(" hPa"), "pressurebar": plain(" bar"), "pressurembar": si("bar", -1), "degree": plain("°"), "radian": plain(" rad"),
	"lux": plain(" lx"), "ppm": plain(" ppm"), "conppm": plain(" ppm"), "hashes": plain(" hash"), "Hs": si("H/s", 0),
}

var currencies = map[string]string{
	"currencyUSD": "$", "currencyEUR": "€", "currencyGBP": "£", "currencyJPY": "¥", "currencyCNY": "¥", "currencyINR": "₹", "currencyKRW": "₩", "currencyRUB": "₽", "currencyBRL": "R$", "currencyBTC": "฿",
}

var booleans = map[string][2]string{"bool": {"False", "True"}, "bool_yes_no": {"No", "Yes"}, "bool_on_off": {"Off", "On"}}

// scaleOf gives the scale of a unit, ok false if the unit is none of scaled numbers. An unknown unit is written after the number, as Grafana does.
func scaleOf(unit string) (s scale, ok bool) {
	if s, ok = scales[unit]; ok {
		return s, true
	}
	if _, special := booleans[unit]; special {
		return s, false
	}
	switch unit {
	case "":
		return scales["none"], true
	case "hex", "hex0x", "sci", "locale", "string", "dateTimeAsIso", "dateTimeAsIsoNoDateIfToday", "dateTimeAsUS", "dateTimeAsUSNoDateIfToday", "dateTimeAsLocal", "dateTimeFromNow",
		"dateTimeAsSystem", "dtdurations", "dtdurationms", "dthms", "dthmss", "clocks", "clockms":
		return s, false
	}
	kind, arg, found := strings.Cut(unit, ":")
	if !found {
		if _, money := currencies[unit]; money {
			return scale{1, steps(1000, 0, "", "K", "M", "B", "T"), ""}, true
		}
		return plain(" " + unit), true
	}
	switch kind {
	case "suffix":
		return plain(" " + strings.TrimSpace(arg)), true
	case "prefix":
		return plain(""), true
	case "si":
		return si(strings.TrimLeft(arg, "kmMGTµn"), siOffset(arg)), true
	case "count":
		return count(arg), true
	case "currency":
		return scale{1, steps(1000, 0, "", "K", "M", "B", "T"), ""}, true
	case "time", "bool":
		return s, false
	}
	return plain(" " + unit), true
}

func siOffset(s string) int {
	if len(s) < 2 {
		return 0
	}
	switch s[0] {
	case 'k':
		return 1
	case 'M':
		return 2
	case 'G':
		return 3
	case 'T':
		return 4
	case 'm':
		return -1
	case 'n':
		return -3
	}
	if strings.HasPrefix(s, "µ") {
		return -2
	}
	return 0
}

func unitPrefix(unit string) string {
	if c, ok := currencies[unit]; ok {
		return c
	}
	for _, kind := range []string{"prefix:", "currency:"} {
		if arg, ok := strings.CutPrefix(unit, kind); ok {
			return arg
		}
	}
	return ""
}

// formatUnit writes a value in a unit. decimals below zero means as many as three significant digits need. Times are in loc; now is what
// "from now" counts from.
func formatUnit(unit string, v float64, decimals int, loc *time.Location, now time.Time) formatted {
	if math.IsNaN(v) {
		return formatted{text: "NaN"}
	}
	if math.IsInf(v, 0) {
		return formatted{text: map[bool]string{true: "+∞", false: "-∞"}[v > 0]}
	}
	s, ok := scaleOf(unit)
	if !ok {
		return formatted{text: formatSpecial(unit, v, decimals, loc, now)}
	}
	v *= s.factor
	st := s.pick(v)
	if v == 0 {
		st = s.zero()
	}
	return formatted{prefix: unitPrefix(unit), text: fixed(v/st.from, decimals), suffix: st.suffix + s.tail}
}

// zero is the step that nothing is written in: the plain unit.
func (s scale) zero() scaleStep {
	for _, st := range s.steps {
		if st.from >= min(s.factor, 1)*(1-1e-9) {
			return st
		}
	}
	return s.steps[0]
}

// fixed writes a number with a fixed number of decimals, or as many as three significant digits need; whole numbers get none.
func fixed(v float64, decimals int) string {
	if decimals < 0 {
		decimals = 0
		if v != math.Trunc(v) && v != 0 {
			decimals = min(max(2-int(math.Floor(math.Log10(math.Abs(v)))), 0), 10)
		}
	}
	decimals = min(decimals, 20)
	if p := math.Pow10(decimals); math.Abs(v)*p < 1<<52 {
		v = math.Round(v*p) / p // a half is rounded away from zero
	}
	out := strconv.FormatFloat(v, 'f', decimals, 64)
	if strings.Trim(out, "-0.") == "" {
		out = strings.TrimPrefix(out, "-")
	}
	return out
}

func formatSpecial(unit string, v float64, decimals int, loc *time.Location, now time.Time) string {
	if words, ok := booleans[unit]; ok {
		if v == 0 {
			return words[0]
		}
		return words[1]
	}
	if arg, ok := strings.CutPrefix(unit, "bool:"); ok {
		yes, no, _ := strings.Cut(arg, "/")
		if v == 0 {
			return no
		}
		return yes
	}
	at := func() time.Time {
		if math.Abs(v) > 8.64e15 {
			return time.Time{}
		}
		return time.UnixMilli(int64(v)).In(loc)
	}
	switch unit {
	case "hex", "hex0x":
		prefix := ""
		if unit == "hex0x" {
			prefix = "0x"
		}
		if math.Abs(v) > 1<<62 {
			return fixed(v, decimals)
		}
		return prefix + strings.ToUpper(strconv.FormatInt(int64(math.Round(v)), 16))
	case "sci":
		return strconv.FormatFloat(v, 'e', decimals, 64)
	case "locale":
		return thousands(fixed(v, decimals))
	case "string":
		return strconv.FormatFloat(v, 'f', -1, 64)
	case "dateTimeAsUS", "dateTimeAsUSNoDateIfToday":
		return at().Format("01/02/2006 3:04:05 pm")
	case "dateTimeFromNow":
		d := at().Sub(now)
		if d < 0 {
			return longDuration(-d.Seconds(), 1) + " ago"
		}
		return "in " + longDuration(d.Seconds(), 1)
	case "dtdurations", "dthms", "clocks":
		if unit == "dtdurations" {
			return longDuration(v, max(decimals, 0)+1)
		}
		return hms(v)
	case "dtdurationms", "dthmss", "clockms":
		if unit == "dtdurationms" {
			return longDuration(v/1000, max(decimals, 0)+1)
		}
		return hms(v / 1000)
	}
	return at().Format(time.DateTime)
}

func thousands(s string) string {
	whole, frac, dot := strings.Cut(s, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if dot {
		whole += "." + frac
	}
	return sign + whole
}

func hms(seconds float64) string {
	sign := ""
	if seconds < 0 {
		sign, seconds = "-", -seconds
	}
	if seconds > 1e12 {
		return sign + fixed(seconds, 0) + " s"
	}
	t := int64(seconds)
	two := func(n int64) string {
		if n < 10 {
			return "0" + strconv.FormatInt(n, 10)
		}
		return strconv.FormatInt(n, 10)
	}
	return sign + two(t/3600) + ":" + two(t/60%60) + ":" + two(t%60)
}

// longDuration is "2 days, 3 hours": parts is how many units are told.
func longDuration(seconds float64, parts int) string {
	if seconds < 0 {
		return "-" + longDuration(-seconds, parts)
	}
	var out []string
	for _, u := range []struct {
		size float64
		name string
	}{{31536000, "year"}, {2628000, "month"}, {604800, "week"}, {86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}, {1e-3, "millisecond"}} {
		n := math.Floor(seconds/u.size + 1e-9)
		if n < 1 && len(out) == 0 {
			continue
		}
		if n >= 1 {
			out = append(out, plural(int(min(n, 1e9)), u.name))
		}
		seconds -= n * u.size
		if parts--; parts <= 0 {
			break
		}
	}
	if len(out) == 0 {
		return "0 seconds"
	}
	return strings.Join(out, ", ")
}
