package main

import (
	"errors"
	"fmt"

	"lookout/internal/dashboard"
)

// dashboards hands every dashboard under the paths to visit, one at a time so that only one is held in memory. JSON that is no dashboard is passed
// over and counted. A file that is not JSON at all goes to broken; if broken is nil it is an error.
func dashboards(paths []string, visit func(*dashboard.Dashboard) error, broken func(*dashboard.SyntaxError) error) (passedOver int, err error) {
	found, err := dashboard.Find(paths)
	if err != nil {
		return 0, err
	}
	for _, file := range found.Files {
		loaded := dashboard.LoadFile(file)
		var syntax *dashboard.SyntaxError
		switch {
		case errors.Is(loaded.Err, dashboard.ErrNotDashboard):
			passedOver++
			continue
		case errors.As(loaded.Err, &syntax) && broken != nil:
			err = broken(syntax)
		case loaded.Err != nil:
			err = loaded.Err
		default:
			err = visit(loaded.Dashboard)
		}
		if err != nil {
			return passedOver, err
		}
	}
	return passedOver, nil
}

// count is "1 dashboard", "2 dashboards".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
