package main

import (
	"fmt"
	"io/fs"
	"time"

	"go.yaml.in/yaml/v3"
)

// calendarAhead is how long before a calendar ends someone is told to write the next year: the holidays of China are published some eight weeks before it begins.
const calendarAhead = 45 * 24 * time.Hour

// calendars says which calendars (calendar/*.yaml) end soon or have ended. It is a warning: without holidays a free day counts as a working day.
func calendars(fsys fs.FS, now time.Time) (warnings []string) {
	found, err := fs.Glob(fsys, "calendar/*.yaml")
	if err != nil {
		return nil
	}
	for _, name := range found {
		var calendar struct {
			Location string `yaml:"location"`
			Until    string `yaml:"until"`
		}
		data, err := fs.ReadFile(fsys, name)
		if err == nil {
			err = yaml.Unmarshal(data, &calendar)
		}
		zone, zoneErr := time.LoadLocation(calendar.Location)
		if zoneErr != nil {
			zone = time.UTC
		}
		until, dateErr := time.ParseInLocation(time.DateOnly, calendar.Until, zone)
		switch {
		case err != nil || dateErr != nil:
			warnings = append(warnings, fmt.Sprintf("%s: warning: until is %q, which is not a date such as 2026-12-31", name, calendar.Until))
		case now.After(until.AddDate(0, 0, 1).Add(-calendarAhead)):
			warnings = append(warnings, fmt.Sprintf("%s: warning: holidays are known until %s; after that only Saturdays and Sundays are free. Add those of the next year, which are published in November", name, calendar.Until))
		}
	}
	return warnings
}
