package lint

import (
	"strings"

	"lookout/internal/dashboard"
	"lookout/internal/finding"
)

// Units of Grafana 12; a unit is the value of "unit" in a panel's field options.
// Source: Grafana's documentation of standard options, and packages/grafana-data/src/valueFormats of the offline version.
const unitNames = `
eps mps recpm rowspm epm mpm Bps EHs GBs GHs Gbits GiBs Gibits Hs KBs KHs Kbits KiBs Kibits MBs MHs Mbits MiBs Mibits Mohm Nm3 PBs PHs Pbits PiBs Pibits TBs THs Tbits TiBs Tibits 
Wm2 accFS2 accG accMS2 amp amph arcmin arcsec areaF2 areaM2 areaMI2 binBps binbps bits bool bool_on_off bool_yes_no bps bytes celsius clockms clocks 
congNm3 congm3 conmgNm3 conmgdL conmgm3 conmmolL conngNm3 conngm3 conppb conμgNm3 conμgm3 cpm cps currencyARS currencyBGN currencyBRL currencyBTC 
currencyCHF currencyCZK currencyDKK currencyEUR currencyGBP currencyIDR currencyILS currencyINR currencyISK currencyJPY currencyKES currencyKRW 
currencyMYR currencyNOK currencyPHP currencyPLN currencyPYG currencyRUB currencySEK currencyTRY currencyUAH currencyUSD currencyUYU currencyVND 
currencyXPF currencyZAR currencymBTC currencyμBTC d dB dBm dateTimeAsIso dateTimeAsIsoNoDateIfToday dateTimeAsLocal dateTimeAsLocalNoDateIfToday 
dateTimeAsSystem dateTimeAsUS dateTimeAsUSNoDateIfToday dateTimeFromNow decbits decbytes decgbytes deckbytes decmbytes decpbytes dectbytes degree dm3 
dtdhms dtdurationms dtdurations dthms eflops ev fahrenheit farad ffarad flops flowcfm flowcfs flowcms flowgpm flowlpm flowmlpm forceN forceNm forcekN 
forcekNm gallons gbytes gflops grad gwatt h henry hertz hex hex0x humidity iops joule kamp kamph kbytes kelvin kohm kvolt kvoltamp kvoltampreact 
kwatt kwatth kwattm lengthft lengthin lengthkm lengthm lengthmi lengthmm litre litreh locale lumens lux m m3 mamp mamph massg masskg masslb massmg 
masst mbytes megwatt mflops mhenry mlitre ms mvolt mwatt nfarad none ns ohm opm ops pbytes percent percentunit pfarad pflops pixel ppm pps 
pressurebar pressurehg pressurehpa pressurekbar pressurekpa pressurembar pressurepa pressurepsi radbq radci radexpckg radgy radian radmsv radmsvh 
radr radrad radrem radsv radsvh radusv radusvh recps reqpm reqps rotdegs rothz rotrads rotrpm rowsps rpm rps s sci short string tbytes tflops time 
timeticks velocitykmh velocityknot velocitymph velocityms volt voltamp voltampreact watt watth watthperkg wpm wps yflops zflops µfarad µhenry µs 
`

var units = func() map[string]bool {
	m := map[string]bool{}
	for _, u := range strings.Fields(unitNames) {
		m[u] = true
	}
	return m
}()

var unitUnknown = &Rule{
	ID: "unit-unknown", Severity: finding.Warning,
	Summary: "Grafana does not know the unit and prints it behind the number as it is.",
	Dashboard: func(p *Pass) {
		for _, panel := range p.Dashboard.Panels {
			if u := panel.Unit; panel.UnitNode != nil && !knownUnit(u) {
				p.unknownUnit(panel, panel.UnitNode, u)
			}
			for _, o := range panel.Overrides {
				for _, prop := range o.Get("properties").Items() {
					if v := prop.Get("value"); prop.Get("id").Text() == "unit" && v.Text() != "" && !knownUnit(v.Text()) {
						p.unknownUnit(panel, v, v.Text())
					}
				}
			}
		}
	},
}

// unknownUnit warns where a unit of Grafana's is most likely meant; a text that is like none is shown as its author wants.
func (p *Pass) unknownUnit(panel *dashboard.Panel, at *dashboard.Node, u string) {
	near := nearUnit(u)
	if near == "" {
		p.severity = finding.Info
	}
	p.Panel(panel, at, "Grafana has no unit %q%s; for a suffix of your own write \"suffix: %s\"", u, near, u)
}

func knownUnit(u string) bool {
	if u == "" || units[u] || strings.ContainsAny(u, "$ ") {
		return true
	}
	prefix, _, ok := strings.Cut(u, ":")
	if !ok {
		return false
	}
	switch prefix {
	case "suffix", "prefix", "time", "si", "count", "currency", "bool":
		return true
	}
	return false
}

// nearUnit suggests the unit that differs in upper and lower case only, or is meant by a common word.
func nearUnit(u string) string {
	for name := range units {
		if strings.EqualFold(name, u) {
			return " (" + name + "?)"
		}
	}
	for word, name := range map[string]string{
		"seconds": "s", "second": "s", "sec": "s", "milliseconds": "ms", "msec": "ms", "byte": "bytes", "%": "percent", "requests/s": "reqps", "req/s": "reqps",
		"rps": "reqps", "qps": "reqps", "bytes/s": "Bps", "minutes": "m", "hours": "h", "days": "d", "B": "bytes", "count": "short", "number": "none", "°C": "celsius",
	} {
		if u == word {
			return " (" + name + "?)"
		}
	}
	return ""
}
