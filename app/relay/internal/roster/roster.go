// Package roster says who is on call: people take turns, from one handover to the next, and may swap.
package roster

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"
)

// Roster is a rota as data.
type Roster struct {
	// Starts is the day on which the first of People takes over, such as 2026-11-30, a Monday.
	Starts string `yaml:"starts"`
	// Handover is the time of day at which the next one takes over, HH:MM; 09:00 by default.
	Handover string `yaml:"handover"`
	// Days is how long each is on call; 7 by default.
	Days int `yaml:"days"`
	// People are the names of those who take turns, in their order.
	People []string `yaml:"people"`
	// Swaps go before the turns; a later one goes before an earlier one.
	Swaps []Swap `yaml:"swaps"`

	start time.Time // of the first day, at midnight in UTC: days are counted, whatever clocks do
	at    time.Duration
	swaps []swap
}

// Swap is somebody who stands in from the handover of one day to that of another.
type Swap struct {
	From   string `yaml:"from"`
	To     string `yaml:"to"`
	Person string `yaml:"person"`
}

type swap struct {
	from, to int // days since the start
	person   string
}

const day = 24 * time.Hour

var clock = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)

// Check fills in what was not said, and says all that is wrong. known are the people that exist.
func (r *Roster) Check(known func(person string) bool) error {
	var errs []error
	say := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if r.Handover == "" {
		r.Handover = "09:00"
	}
	if !clock.MatchString(r.Handover) {
		say("handover is %q; write a time of day as HH:MM, quoted", r.Handover)
	} else {
		t, _ := time.Parse("15:04", r.Handover)
		r.at = time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
	}
	if r.Days == 0 {
		r.Days = 7
	}
	if r.Days < 1 || r.Days > 92 {
		say("days is %d; each is on call for 1 to 92 days", r.Days)
		r.Days = 7
	}
	var err error
	if r.start, err = time.Parse(time.DateOnly, r.Starts); err != nil {
		say("starts is %q; write the day on which the first takes over, such as 2026-11-30", r.Starts)
	}
	if len(r.People) == 0 {
		say("people is empty; name those who take turns")
	}
	for _, person := range r.People {
		if !known(person) {
			say("%q is not one of people", person)
		}
	}
	r.swaps = nil
	for i, s := range r.Swaps {
		from, errFrom := time.Parse(time.DateOnly, s.From)
		to, errTo := time.Parse(time.DateOnly, s.To)
		switch {
		case errFrom != nil || errTo != nil:
			say("swaps[%d] is from %q to %q; write days such as 2026-12-24", i, s.From, s.To)
		case !from.Before(to):
			say("swaps[%d] is from %s to %s; it ends with the handover of a later day", i, s.From, s.To)
		case !known(s.Person):
			say("swaps[%d]: %q is not one of people", i, s.Person)
		}
		r.swaps = append(r.swaps, swap{r.number(from), r.number(to), s.Person})
	}
	return errors.Join(errs...)
}

// number counts days from the start.
func (r *Roster) number(midnight time.Time) int { return int(midnight.Sub(r.start) / day) }

// At is who is on call at a moment; zone is where handovers are meant. The roster has been checked.
func (r *Roster) At(now time.Time, zone *time.Location) string {
	local := now.In(zone)
	n := r.number(time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, time.UTC))
	// By the clock on the wall, so that a day of 23 hours hands over at nine as well.
	if time.Duration(local.Hour())*time.Hour+time.Duration(local.Minute())*time.Minute < r.at {
		n--
	}
	for _, s := range slices.Backward(r.swaps) {
		if n >= s.from && n < s.to {
			return s.person
		}
	}
	turn := n / r.Days
	if n < 0 && n%r.Days != 0 {
		turn--
	}
	return r.People[(turn%len(r.People)+len(r.People))%len(r.People)]
}
