package render

import (
	"math"
	"strings"
)

// scale is one way of writing numbers of a unit.
type scale struct {
	// factor is what the value is multiplied by first.
	factor float64
	// steps are where a larger unit takes over, each with its suffix; ascending. The first one holds for smaller values, too.
	steps []scaleStep
	// tail is written after the step's suffix.
	tail string
	// kind says what are round numbers of the unit.
	kind scaleKind
}

type scaleKind uint8

const (
	decimalScale scaleKind = iota
	binaryScale            // powers of 1024
	timeScale              // seconds, minutes, hours, …
)

type scaleStep struct {
	// from is the least value of the step, size what a value is divided by.
	from, size float64
	suffix     string
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

// zero is the step that nothing is written in: the plain unit.
func (s scale) zero() scaleStep {
	for _, st := range s.steps {
		if st.from >= s.factor*(1-1e-9) {
			return st
		}
	}
	return s.steps[0]
}

func steps(base float64, exponent int, suffixes ...string) []scaleStep {
	out := make([]scaleStep, len(suffixes))
	for i, s := range suffixes {
		at := math.Pow(base, float64(i+exponent))
		out[i] = scaleStep{at, at, s}
	}
	return out
}

// plain is a unit without prefixes: 1500 rpm.
func plain(suffix string) scale { return scale{factor: 1, steps: steps(10, 0, suffix)} }

var (
	siPrefixes  = []string{"f", "p", "n", "µ", "m", "", "k", "M", "G", "T", "P", "E", "Z", "Y"}
	iecPrefixes = []string{"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"}
	thousand    = []string{"", "K", "M", "B", "T"}
)

func prefixed(prefixes []string, symbol string) []string {
	out := make([]string, len(prefixes))
	for i, p := range prefixes {
		out[i] = " " + p + symbol
	}
	return out
}

// si is a unit with metric prefixes; offset is the exponent the value comes in: 1 for kilo, -1 for milli.
func si(symbol string, offset int) scale {
	return scale{factor: math.Pow(1000, float64(offset)), steps: steps(1000, -5, prefixed(siPrefixes, symbol)...)}
}

func iec(symbol string, offset int) scale {
	return scale{factor: math.Pow(1024, float64(offset)), steps: steps(1024, 0, prefixed(iecPrefixes, symbol)...), kind: binaryScale}
}

// count is a number of things: 1.5K req/s.
func count(symbol string) scale {
	return scale{factor: 1, steps: steps(1000, 0, thousand...), tail: " " + symbol}
}

func money(suffix string) scale {
	return scale{factor: 1, steps: steps(1000, 0, thousand...), tail: suffix}
}

// duration is a time that comes in units of factor seconds and is written in some of the units of time. Their names are Grafana's, and so is which unit goes how far.
func duration(factor float64, names ...string) scale {
	s := scale{factor: factor, kind: timeScale}
	for _, n := range names {
		from := timeUnits[n]
		size := from
		if n == "year" && factor <= 60 && factor != 1e-3 {
			size = 3.15569e7 // Grafana begins to write years at 365 days, but divides by those of the sun
		}
		s.steps = append(s.steps, scaleStep{from, size, " " + n})
	}
	return s
}

var timeUnits = map[string]float64{
	"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1, "min": 60, "hour": 3600, "day": 86400, "week": 604800, "year": 31536000,
}

// scales are the units by the ids that dashboards use, as far as they are scaled numbers; those with rules of their own are in formatUnit. The ids, and how
// they are written, are those of Grafana's unit picker.
var scales = func() map[string]scale {
	out := map[string]scale{
		"none":  plain(""),
		"short": {factor: 1, steps: steps(1000, 0, "", " K", " Mil", " Bil", " Tri", " Quadr", " Quint", " Sext", " Sept")},

		"percent": plain("%"), "percentunit": {factor: 100, steps: steps(10, 0, "%")},
		"sishort": {factor: 1, steps: steps(1000, -5, prefixed(siPrefixes, "")...)},

		"ns": duration(1e-9, "ns", "µs", "ms", "s", "min", "hour", "day"), "µs": duration(1e-6, "µs", "ms", "s", "min", "hour", "day"),
		"ms": duration(1e-3, "ms", "s", "min", "hour", "day", "year"), "s": duration(1, "ns", "µs", "ms", "s", "min", "hour", "day", "week", "year"),
		"m": duration(60, "min", "hour", "day", "week", "year"), "h": duration(3600, "hour", "day", "week", "year"), "d": duration(86400, "day", "week", "year"),
		"timeticks": duration(0.01, "ns", "µs", "ms", "s", "min", "hour", "day", "week", "year"),

		"pressurepsi": {factor: 1, steps: steps(1000, 0, "psi", "ksi", "Mpsi")},
	}
	out["us"] = out["µs"]
	each := func(table string, make func(symbol string, exponent int) scale) {
		for line := range strings.Lines(table) {
			ids := strings.Fields(line)
			if len(ids) == 0 {
				continue
			}
			// The symbol, then ids; id@2 comes in units of the second power.
			for _, id := range ids[1:] {
				id, at, _ := strings.Cut(id, "@")
				exponent := 0
				if at != "" {
					f, _ := parseNumber(at)
					exponent = int(f)
				}
				out[id] = make(ids[0], exponent)
			}
		}
	}
	each(siUnits, si)
	each(iecUnits, iec)
	each(countUnits, func(symbol string, _ int) scale { return count(symbol) })
	each(plainUnits, func(symbol string, _ int) scale { return plain(" " + symbol) })
	out["fahrenheit"], out["farenheit"] = plain(" °F"), plain(" °F")
	for id, m := range currencies {
		out[id] = money(m.suffix)
	}
	return out
}()

const siUnits = `
FLOPS flops mflops@2 gflops@3 tflops@4 pflops@5 eflops@6 zflops@7 yflops@8
B decbytes deckbytes@1 decmbytes@2 decgbytes@3 dectbytes@4 decpbytes@5
b decbits
p/s pps
B/s Bps KBs@1 MBs@2 GBs@3 TBs@4 PBs@5
b/s bps Kbits@1 Mbits@2 Gbits@3 Tbits@4 Pbits@5
cd candela
W watt kwatt@1 megwatt@2 gwatt@3 mwatt@-1
W/m² Wm2
VA voltamp kvoltamp@1
VAr voltampreact kvoltampreact@1
Wh watth kwatth@1 mwatth@2
Wh/kg watthperkg
W-Min kwattm@1
Ah amph kamph@1 mamph@-1
J joule
eV ev
A amp kamp@1 mamp@-1
V volt kvolt@1 mvolt@-1
dBm dBm
Ω ohm mohm@-1 kohm@1 Mohm@2
F farad µfarad@-2 nfarad@-3 pfarad@-4 ffarad@-5
H henry mhenry@-1 µhenry@-2
Lm lumens
Nm forceNm forcekNm@1
N forceN forcekN@1
H/s Hs KHs@1 MHs@2 GHs@3 THs@4 PHs@5 EHs@6
g massmg@-1 massg masskg@1
m lengthmm@-1 lengthm lengthkm@1
bar pressurembar@-1 pressurebar pressurekbar@1
Pa pressurepa
Bq radbq
Ci radci
Gy radgy
rad radrad
Sv radsv radmsv@-1 radusv@-2
rem radrem
C/kg radexpckg
R radr
Sv/h radsvh radmsvh@-1 radusvh@-2
Hz rothz rotkhz@1 rotmhz@2 rotghz@3 hertz
L litre mlitre@-1
`

const iecUnits = `
B bytes kbytes@1 mbytes@2 gbytes@3 tbytes@4 pbytes@5
b bits
B/s binBps KiBs@1 MiBs@2 GiBs@3 TiBs@4 PiBs@5
b/s binbps Kibits@1 Mibits@2 Gibits@3 Tibits@4 Pibits@5
`

const countUnits = `
c/s cps
ops/s ops
req/s reqps
rd/s rps
wr/s wps
io/s iops
evt/s eps
msg/s mps
rec/s recps
rows/s rowsps
c/m cpm
ops/m opm
req/m reqpm
rd/m rpm
wr/m wpm
evts/m epm
msgs/m mpm
rec/m recpm
rows/m rowspm
`

const plainUnits = `
%H humidity
dB dB
px pixel
m/sec² accMS2
f/sec² accFS2
g accG
° degree
rad radian
grad grad
arcmin arcmin
arcsec arcsec
m² areaM2
ft² areaF2
mi² areaMI2
ac acres
ha hectares
ppm ppm conppm
ppb conppb
ng/m³ conngm3
ng/Nm³ conngNm3
μg/m³ conμgm3
μg/Nm³ conμgNm3
mg/m³ conmgm3
mg/Nm³ conmgNm3
g/m³ congm3
g/Nm³ congNm3
mg/dL conmgdL
mmol/L conmmolL
gpm flowgpm
cms flowcms
cfs flowcfs
cfm flowcfm
L/h litreh
L/min flowlpm
mL/min flowmlpm
lux lux
lb masslb
t masst
in lengthin
ft lengthft
mi lengthmi
hPa pressurehpa
kPa pressurekpa
"Hg pressurehg
rpm rotrpm
rad/s rotrads
°/s rotdegs
°C celsius
K kelvin
m/s velocityms
km/h velocitykmh
mph velocitymph
kn velocityknot
m³ m3
Nm³ Nm3
dm³ dm3
gal gallons
hash hashes
`

// currencies are written before the number, those with a suffix after it.
var currencies = map[string]struct{ prefix, suffix string }{
	"currencyUSD": {"$", ""}, "currencyGBP": {"£", ""}, "currencyEUR": {"€", ""}, "currencyJPY": {"¥", ""}, "currencyCNY": {"¥", ""}, "currencyRUB": {"₽", ""},
	"currencyUAH": {"₴", ""}, "currencyBRL": {"R$", ""}, "currencyDKK": {"", "kr"}, "currencyISK": {"", "kr"}, "currencyNOK": {"", "kr"}, "currencySEK": {"", "kr"},
	"currencyCZK": {"czk", ""}, "currencyCHF": {"CHF", ""}, "currencyPLN": {"PLN", ""}, "currencyBTC": {"฿", ""}, "currencymBTC": {"mBTC", ""}, "currencyμBTC": {"μBTC", ""},
	"currencyZAR": {"R", ""}, "currencyINR": {"₹", ""}, "currencyKRW": {"₩", ""}, "currencyIDR": {"Rp", ""}, "currencyPHP": {"PHP", ""}, "currencyVND": {"", "đ"},
	"currencyTRY": {"", "₺"}, "currencyMYR": {"RM", ""}, "currencyXPF": {"XPF", ""}, "currencyBGN": {"BGN", ""}, "currencyPYG": {"₲", ""}, "currencyUYU": {"UYU", ""},
	"currencyILS": {"₪", ""}, "currencyARS": {"ARS", ""}, "currencyKES": {"KSh", ""},
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
	case "hex", "hex0x", "sci", "locale", "string", "dateTimeAsIso", "dateTimeAsIsoNoDateIfToday", "dateTimeAsUS", "dateTimeAsUSNoDateIfToday", "dateTimeAsLocal",
		"dateTimeAsLocalNoDateIfToday", "dateTimeFromNow", "dateTimeAsSystem", "dtdurations", "dtdurationms", "dthms", "dtdhms", "clocks", "clockms":
		return s, false
	}
	kind, arg, found := strings.Cut(unit, ":")
	if !found {
		return plain(" " + unit), true
	}
	switch kind {
	case "suffix":
		return plain(" " + strings.TrimSpace(arg)), true
	case "prefix":
		return plain(""), true
	case "si":
		symbol, offset := siUnit(arg)
		return si(symbol, offset), true
	case "count":
		return count(arg), true
	case "currency":
		return money(""), true
	case "time", "bool":
		return s, false
	}
	return plain(" " + unit), true
}

// siUnit splits "mW" into the symbol and the power of 1000 that its prefix means.
func siUnit(s string) (symbol string, offset int) {
	if s == "" {
		return "", 0
	}
	for i, p := range siPrefixes {
		if rest, ok := strings.CutPrefix(s, p); ok && p != "" {
			return rest, i - 5
		}
	}
	return s, 0
}

func unitPrefix(unit string) string {
	if c, ok := currencies[unit]; ok {
		return c.prefix
	}
	for _, kind := range []string{"prefix:", "currency:"} {
		if arg, ok := strings.CutPrefix(unit, kind); ok {
			return arg
		}
	}
	return ""
}
