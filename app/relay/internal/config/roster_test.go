package config

import (
	"strings"
	"testing"
)

func TestMistakesOfRosters(t *testing.T) {
	const people = "people: {zhang: {mobile_file: zhang}, li: {id_files: {feishu: li}}}\n"
	const robots = "robots: {ops: {token_file: token}}\n"
	files := map[string]string{"token": "abc", "zhang": "13800000001", "li": "ou_84aad35d", "bad": "call me at 13800000001"}
	target := func(mention string) string {
		return "targets: {ops: {channels: [{robots: [ops]}], mentions: [" + mention + "]}}\n"
	}
	for name, test := range map[string]struct{ conf, want string }{
		"a roster that is not there":   {robots + people + target("{roster: ops}"), `there is no roster "ops"; known are none`},
		"a person that is not there":   {robots + people + "rosters: {ops: {starts: \"2026-11-23\", people: [wang]}}\n" + target("{roster: ops}"), `rosters.ops: "wang" is not one of people`},
		"no day to start":              {robots + people + "rosters: {ops: {people: [zhang]}}\n", `rosters.ops: starts is ""`},
		"nothing to call them by":      {robots + "people: {zhang: {}}\n", "people.zhang has nothing to call them by"},
		"not a number":                 {robots + "people: {zhang: {mobile_file: bad}}\n", "people.zhang.mobile_file: what bad holds is not a mobile number"},
		"a file that is not there":     {robots + "people: {zhang: {mobile_file: none}}\n", "people.zhang.mobile_file: stat"},
		"a chat that is not there":     {robots + "people: {zhang: {id_files: {icq: li}}}\n", `people.zhang.id_files`},
		"no channel that can call one": {robots + people + "rosters: {ops: {starts: \"2026-11-23\", people: [zhang, li]}}\n" + target("{roster: ops}"), "no channel of the target can call li, who is on the roster ops"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, test.conf, files)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %s", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "13800000001") {
				t.Errorf("the number is in the error: %v", err)
			}
		})
	}
	c, err := load(t, robots+people+"rosters: {ops: {starts: \"2026-11-23\", people: [zhang]}}\n"+target("{match: {severity: critical}, roster: ops}"), files)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Redact("call 13800000001"); strings.Contains(got, "13800000001") {
		t.Errorf("%s is written as it is", got)
	}
}
