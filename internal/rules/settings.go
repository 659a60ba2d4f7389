package rules

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Settings are what differs from the rule files in an environment: envs/<env>/alerts.yaml. modules/alerts reads the same file.
type Settings struct {
	// Intervals are by group, Labels are for every alert.
	Intervals, Labels map[string]string
	// Overrides are by alert.
	Overrides map[string]Override

	problems Problems
	src      *source
	node     *node
}

// Override is what differs for one alert; what is not set is as in its file.
type Override struct {
	Paused                    bool
	Threshold                 *Threshold
	Pending, Severity, Window string
}

var overrideFields = []string{"paused", "pending", "severity", "threshold", "window"}

// ReadSettings reads such a file. What is wrong with it is told by [Settings.Check].
func ReadSettings(name string, data []byte) *Settings {
	s := &Settings{Intervals: map[string]string{}, Labels: map[string]string{}, Overrides: map[string]Override{}, src: newSource(name, data)}
	docs := s.src.documents(data, &s.problems)
	say := func(n *node, format string, args ...any) {
		s.problems.add(Problem{Position: s.src.of(n), Kind: KindRule, Message: fmt.Sprintf(format, args...)})
	}
	if len(s.problems) > 0 {
		return s
	}
	if len(docs) != 1 || docs[0].kind != mappingKind {
		say(nil, "is not one YAML document with the keys intervals, labels and overrides")
		return s
	}
	s.node = docs[0]
	if s.src.aliases > maxAliases {
		say(s.node, "%d aliases; such a file may hold %d: write out what they stand for", s.src.aliases, maxAliases)
		return s
	}
	for _, e := range s.node.entries {
		if !slices.Contains([]string{"intervals", "labels", "overrides"}, e.key.text) {
			say(e.key, "unknown field %q; known are intervals, labels, overrides", e.key.text)
			continue
		}
		if e.value.kind != mappingKind {
			say(e.key, "%s is %s; write names and values", e.key.text, e.value.words())
			continue
		}
		for _, v := range e.value.entries {
			switch e.key.text {
			case "intervals":
				if ms, ok := wholeSeconds(v.value); !ok || ms <= 0 || ms%10_000 != 0 {
					say(v.value, "the interval of group %q is %s; write 10s or a multiple of that", v.key.text, v.value.words())
				}
				s.Intervals[v.key.text] = v.value.string()
			case "labels":
				switch {
				case slices.Contains(append([]string{"severity"}, reservedLabels...), v.key.text):
					say(v.key, "labels must not set %s: alerts are named and routed by it", v.key.text)
				case !labelName.MatchString(v.key.text):
					say(v.key, "%q is not a valid label name; use letters, digits and _", v.key.text)
				case v.value.string() == "" || v.value.tag != "!!str":
					say(v.value, "label %s is %s; write a text", v.key.text, v.value.words())
				}
				s.Labels[v.key.text] = v.value.string()
			case "overrides":
				s.override(v, say)
			}
		}
	}
	return s
}

func (s *Settings) override(e entry, say func(n *node, format string, args ...any)) {
	if e.value.kind != mappingKind {
		say(e.key, "overrides %s is %s; write %s", e.key.text, e.value.words(), strings.Join(overrideFields, ", "))
		return
	}
	var o Override
	for _, f := range e.value.entries {
		v := f.value
		switch f.key.text {
		case "paused":
			if v.tag != "!!bool" {
				say(v, "paused of %s is %s; write true or false", e.key.text, v.words())
			}
			o.Paused = v.string() == "true"
		case "threshold":
			value, err := strconv.ParseFloat(v.string(), 64)
			if err != nil || !decimal.MatchString(v.string()) || math.Abs(value) >= 1e308 {
				say(v, "the threshold of %s is %s, which is not a finite number", e.key.text, v.words())
				continue
			}
			o.Threshold = &Threshold{Value: value, text: v.string()}
		case "pending", "window":
			if _, ok := wholeSeconds(v); !ok {
				say(v, "%s of %s is %s; write a duration in whole seconds of less than a year, such as 5m", f.key.text, e.key.text, v.words())
			}
			if f.key.text == "pending" {
				o.Pending = v.string()
			} else {
				o.Window = v.string()
			}
		case "severity":
			if !slices.Contains([]string{"critical", "warning", "info"}, v.string()) {
				say(v, "the severity of %s is %s; write critical, warning or info", e.key.text, v.words())
			}
			o.Severity = v.string()
		default:
			say(f.key, "unknown field %q in overrides %s; known are %s", f.key.text, e.key.text, strings.Join(overrideFields, ", "))
		}
	}
	s.Overrides[e.key.text] = o
}

// Problems says what is wrong with the file by itself, whatever alerts there are.
func (s *Settings) Problems() Problems { return slices.Clone(s.problems) }

// Check says what is wrong with the settings, by themselves and for these files.
func (s *Settings) Check(files []*File) Problems {
	problems := append(Problems(nil), s.problems...)
	alerts, groups := map[string]*Rule{}, map[string]bool{}
	var names, groupNames []string
	for _, f := range files {
		for _, g := range f.Groups {
			groups[g.Name] = true
			groupNames = append(groupNames, g.Name)
		}
		for _, r := range f.Rules() {
			alerts[r.Alert] = r
			names = append(names, r.Alert)
		}
	}
	for _, e := range entries(s.node.get("overrides")) {
		r := alerts[e.key.text]
		switch {
		case r == nil:
			problems.add(Problem{Position: s.src.of(e.key), Kind: KindRule, Message: fmt.Sprintf("overrides has %q, but there is no such alert; known are %s", e.key.text, strings.Join(names, ", "))})
		case e.value.get("window") != nil && r.Window == "":
			problems.add(Problem{Position: s.src.of(e.value.get("window")), Kind: KindRule, Message: fmt.Sprintf("overrides gives %q a window, but the rule has none", e.key.text)})
		}
	}
	for _, e := range entries(s.node.get("intervals")) {
		if !groups[e.key.text] {
			problems.add(Problem{Position: s.src.of(e.key), Kind: KindRule, Message: fmt.Sprintf("intervals has %q, but there is no such group; known are %s", e.key.text, strings.Join(groupNames, ", "))})
		}
	}
	problems.sort()
	return problems
}
