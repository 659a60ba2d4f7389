package main

import (
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestCalendarsThatEnd(t *testing.T) {
	repo := func(until string) fstest.MapFS {
		return fstest.MapFS{"calendar/china.yaml": {Data: []byte("location: Asia/Shanghai\nuntil: " + until + "\n")}}
	}
	at := func(text string) time.Time {
		when, err := time.Parse(time.RFC3339, text)
		assert.NoError(t, err)
		return when
	}
	assert.Empty(t, calendars(repo(`"2026-12-31"`), at("2026-11-16T15:59:59Z")))
	assert.Len(t, calendars(repo(`"2026-12-31"`), at("2026-11-16T16:00:01Z")), 1, "45 days before the new year begins in Shanghai")
	assert.Contains(t, calendars(repo(`"2026-12-31"`), at("2027-05-01T00:00:00Z"))[0], "calendar/china.yaml: warning: holidays are known until 2026-12-31")
	assert.Contains(t, calendars(repo("soon"), at("2026-01-01T00:00:00Z"))[0], `until is "soon"`)
	assert.Empty(t, calendars(fstest.MapFS{}, at("2026-01-01T00:00:00Z")))
}
