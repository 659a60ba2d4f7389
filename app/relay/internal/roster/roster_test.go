package roster

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func known(person string) bool {
	return slices.Contains([]string{"zhang", "li", "wang"}, person)
}

func TestWhoIsOnCall(t *testing.T) {
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	require.NoError(t, err)
	weekly := Roster{Starts: "2026-11-23", People: []string{"zhang", "li", "wang"}, Swaps: []Swap{
		{From: "2026-12-24", To: "2026-12-26", Person: "li"}, {From: "2026-12-25", To: "2026-12-26", Person: "zhang"},
	}}
	require.NoError(t, weekly.Check(known))
	for at, want := range map[string]string{
		"2026-11-23 08:59": "wang", // before the first turn the rota goes back
		"2026-11-23 09:00": "zhang",
		"2026-11-30 08:59": "zhang",
		"2026-11-30 09:00": "li",
		"2026-12-07 09:00": "wang",
		"2026-12-14 09:00": "zhang",
		"2026-12-24 08:59": "li",
		"2026-12-23 12:00": "li",
		"2026-12-25 08:59": "li",
		"2026-12-25 09:00": "zhang", // the later swap
		"2026-12-26 08:59": "zhang",
		"2026-12-28 09:00": "wang",
		"2026-10-26 12:00": "wang",
		"2026-11-16 09:00": "wang",
		"2026-11-09 12:00": "li",
	} {
		when, err := time.ParseInLocation("2006-01-02 15:04", at, shanghai)
		require.NoError(t, err)
		assert.Equal(t, want, weekly.At(when, shanghai), at)
		assert.Equal(t, want, weekly.At(when.UTC(), shanghai), "%s, whatever the server's zone", at)
	}

	// Clocks go forward on 2027-03-28 in Berlin: that day has 23 hours.
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	daily := Roster{Starts: "2027-03-27", Handover: "09:30", Days: 1, People: []string{"zhang", "li"}}
	require.NoError(t, daily.Check(known))
	for at, want := range map[string]string{"2027-03-28 09:29": "zhang", "2027-03-28 09:30": "li", "2027-03-29 09:29": "li", "2027-03-29 09:30": "zhang"} {
		when, err := time.ParseInLocation("2006-01-02 15:04", at, berlin)
		require.NoError(t, err)
		assert.Equal(t, want, daily.At(when, berlin), at)
	}
}

func TestMistakes(t *testing.T) {
	for want, r := range map[string]Roster{
		`starts is ""`:                   {People: []string{"li"}},
		`handover is "9"`:                {Starts: "2026-11-23", Handover: "9", People: []string{"li"}},
		"days is 100":                    {Starts: "2026-11-23", Days: 100, People: []string{"li"}},
		"people is empty":                {Starts: "2026-11-23"},
		`"sun" is not one of people`:     {Starts: "2026-11-23", People: []string{"sun"}},
		`swaps[0] is from "soon"`:        {Starts: "2026-11-23", People: []string{"li"}, Swaps: []Swap{{From: "soon", To: "2026-12-01", Person: "li"}}},
		"it ends with the handover of a": {Starts: "2026-11-23", People: []string{"li"}, Swaps: []Swap{{From: "2026-12-01", To: "2026-12-01", Person: "li"}}},
		`swaps[0]: "sun" is not one of`:  {Starts: "2026-11-23", People: []string{"li"}, Swaps: []Swap{{From: "2026-12-01", To: "2026-12-02", Person: "sun"}}},
	} {
		assert.ErrorContains(t, r.Check(known), want)
	}
}
