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
	prefix := unitPrefix(unit)
	if v < 0 && strings.HasPrefix(unit, "currency") {
		prefix, v = "-"+prefix, -v
	}
	if max := math.MaxFloat64 / s.factor; math.Abs(v) > max {
		v = math.Copysign(max, v)
	}
	v *= s.factor
	st := s.pick(v)
	if v == 0 {
		st = s.zero()
	}
	return formatted{prefix: prefix, text: fixed(v/st.size, decimals), suffix: st.suffix + s.tail}
}

// fixed writes a number with a fixed number of decimals, or as many as three significant digits need; whole numbers get none. What is shorter with a power of ten is
// written so, at the sizes at which JavaScript does it and hence Grafana: from 1e21, and below 1e-6.
func fixed(v float64, decimals int) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	if decimals < 0 {
		decimals = 0
		if v != math.Trunc(v) {
			decimals = max(2-int(math.Floor(math.Log10(math.Abs(v)))), 0)
		}
	}
	p := math.Pow(10, float64(decimals))
	if scaled := math.Abs(v) * p; scaled < 1<<52 && !math.IsInf(p, 0) {
		v = math.Copysign(math.Floor(scaled+0.5), v) / p // a half is rounded away from zero
	}
	if size := math.Abs(v); size >= 1e21 || size > 0 && size < 1e-6 {
		return exponent(v, 5, true)
	}
	decimals = min(decimals, 20)
	if math.Abs(v) >= 1<<53 {
		decimals = -1 // the digits that count
	}
	out := strconv.FormatFloat(v, 'f', decimals, 64)
	if strings.Trim(out, "-0.") == "" {
		out = strings.TrimPrefix(out, "-")
	}
	return out
}

// exponent writes 4.2e+21 as JavaScript does, with at most so many decimals: the last digits of a huge number are noise. short leaves out zeros at the end.
func exponent(v float64, decimals int, short bool) string {
	mantissa, power, _ := strings.Cut(strconv.FormatFloat(v, 'e', decimals, 64), "e")
	if short && strings.Contains(mantissa, ".") {
		mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
	}
	digits := strings.TrimLeft(power[1:], "0")
	if digits == "" {
		digits = "0"
	}
	return mantissa + "e" + power[:1] + digits
}

func formatSpecial(unit string, v float64, decimals int, loc *time.Location, now time.Time) string {
	if words, ok := booleans[unit]; ok {
		if v == 0 {
			return words[0]
		}
		return words[1]
	}
	if arg, ok := strings.CutPrefix(unit, "bool:"); ok {
		yes, no, two := strings.Cut(arg, "/")
		if !two {
			no = "-"
		}
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
	// Of a time of today only the hour is told if the unit says so.
	dated := func(date, clock string) string {
		t := at()
		if strings.HasSuffix(unit, "NoDateIfToday") && t.Format(time.DateOnly) == now.In(loc).Format(time.DateOnly) {
			return t.Format(clock)
		}
		return t.Format(date + " " + clock)
	}
	if layout, ok := strings.CutPrefix(unit, "time:"); ok && strings.TrimSpace(layout) != "" {
		return at().Format(goLayout.Replace(layout))
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
		if decimals < 0 {
			return exponent(v, 15, true)
		}
		return exponent(v, min(decimals, 20), false)
	case "locale":
		if decimals < 0 {
			v, decimals = math.Round(v*1000)/1000, 0
			for d := range 4 {
				if decimals = d; math.Abs(v-math.Round(v*math.Pow10(d))/math.Pow10(d)) < 1e-9*math.Abs(v) {
					break
				}
			}
		}
		return thousands(fixed(v, decimals))
	case "string":
		if size := math.Abs(v); size >= 1e21 || size > 0 && size < 1e-6 {
			return exponent(v, 16, true)
		}
		return strconv.FormatFloat(v, 'f', -1, 64)
	case "dateTimeAsUS", "dateTimeAsUSNoDateIfToday":
		return dated("01/02/2006", "3:04:05 pm")
	case "dateTimeFromNow":
		d := at().Sub(now)
		if d < 0 {
			return longDuration(-d.Seconds(), 1, "seconds") + " ago"
		}
		return "in " + longDuration(d.Seconds(), 1, "seconds")
	case "dtdurations":
		return longDuration(v, max(decimals, 0)+1, "seconds")
	case "dtdurationms":
		return longDuration(v/1000, max(decimals, 0)+1, "milliseconds")
	case "dthms":
		return hms(v)
	case "dtdhms":
		if days := math.Floor(math.Abs(v) / 86400); days >= 1 {
			return fixed(math.Copysign(days, v), 0) + " d " + hms(math.Abs(v)-days*86400)
		}
		return hms(v)
	case "clocks":
		return clock(v*1000, decimals)
	case "clockms":
		return clock(v, decimals)
	}
	return dated(time.DateOnly, "15:04:05")
}

// goLayout turns a date's format as JavaScript programs write it into Go's.
var goLayout = strings.NewReplacer(
	"YYYY", "2006", "YY", "06", "MMMM", "January", "MMM", "Jan", "MM", "01", "M", "1", "DD", "02", "D", "2", "dddd", "Monday", "ddd", "Mon",
	"HH", "15", "hh", "03", "h", "3", "mm", "04", "ss", "05", "SSS", "000", "A", "PM", "a", "pm", "ZZ", "-0700", "Z", "-07:00",
)

func thousands(s string) string {
	whole, frac, dot := strings.Cut(s, ".")
	if strings.Contains(whole+frac, "e") {
		return s
	}
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

func twoDigits(n int64) string {
	if n < 10 {
		return "0" + strconv.FormatInt(n, 10)
	}
	return strconv.FormatInt(n, 10)
}

func hms(seconds float64) string {
	if seconds < 0 {
		return hms(-seconds) + " ago"
	}
	if seconds > 1e12 {
		return fixed(seconds, 0) + " s"
	}
	t := int64(seconds)
	return twoDigits(t/3600) + ":" + twoDigits(t/60%60) + ":" + twoDigits(t%60)
}

// clock is "01h:02m:03s:004ms"; decimals says how many parts follow the largest one.
func clock(ms float64, decimals int) string {
	if ms < 0 || ms > 1e15 {
		return fixed(ms, 0) + " ms"
	}
	t := int64(ms)
	milli := strconv.FormatInt(t%1000, 10)
	parts := []string{twoDigits(t/3600000) + "h", twoDigits(t/60000%60) + "m", twoDigits(t/1000%60) + "s", strings.Repeat("0", 3-len(milli)) + milli + "ms"}
	switch {
	case t < 1000:
		parts = parts[3:]
	case t < 60000:
		parts = parts[2:]
	case t < 3600000:
		parts = parts[1:]
	}
	if decimals >= 0 {
		parts = parts[:min(decimals+1, len(parts))]
	}
	return strings.Join(parts, ":")
}

// longDuration is "2 days, 3 hours": parts is how many units are told; none is the unit that nothing is written in.
func longDuration(seconds float64, parts int, none string) string {
	if seconds == 0 {
		return "0 " + none
	}
	if seconds < 0 {
		return longDuration(-seconds, parts, none) + " ago"
	}
	var out []string
	for _, u := range []struct {
		size float64
		name string
	}{{31536000, "year"}, {2592000, "month"}, {604800, "week"}, {86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}, {1e-3, "millisecond"}} {
		n := math.Floor(seconds/u.size + 1e-9)
		if n < 1 && len(out) == 0 {
			continue
		}
		if n == 1 {
			out = append(out, "1 "+u.name)
		} else {
			out = append(out, fixed(n, 0)+" "+u.name+"s")
		}
		seconds -= n * u.size
		if parts--; parts <= 0 {
			break
		}
	}
	if len(out) == 0 {
		return fixed(seconds*1000, -1) + " milliseconds"
	}
	return strings.Join(out, ", ")
}
