# Days as data become times that Alertmanager and Grafana know. Neither knows holidays, so every month lists its days.

locals {
  calendar = yamldecode(file(var.path))

  # Days as numbers, which can be compared: 20260215. The longest calendar that is looked at has two years. Noon, so that no day is lost by rounding.
  number = { for time in [for n in range(731) : timeadd("${local.calendar.from}T12:00:00Z", "${24 * n}h")] : substr(time, 0, 10) => tonumber(replace(substr(time, 0, 10), "-", "")) }
  days   = [for day, number in local.number : day if number <= local.number[local.calendar.until]]

  holidays = toset(flatten([
    for holiday in local.calendar.holidays : [for day in local.days : day if local.number[day] >= local.number[holiday.from] && local.number[day] <= local.number[holiday.to]]
  ]))
  worked = toset(local.calendar.working_days)
  free = toset([
    for day in local.days : day
    if contains(local.holidays, day) || contains(["Saturday", "Sunday"], formatdate("EEEE", "${day}T12:00:00Z")) && !contains(local.worked, day)
  ])

  # Days of each month: "2026-02" has ["15", "16", …].
  by_month = {
    for name, days in { free = local.free, holidays = local.holidays, working = setsubtract(toset(local.days), local.free) } : name => [
      for month, numbers in { for day in days : substr(day, 0, 7) => tostring(tonumber(substr(day, 8, 2)))... } : {
        days_of_month = numbers
        location      = local.calendar.location
        months        = [tostring(tonumber(substr(month, 5, 2)))]
        years         = [substr(month, 0, 4)]
      }
    ]
  }

  # What is not known yet has weekends.
  later = { location = local.calendar.location, years = ["${tonumber(substr(local.calendar.until, 0, 4)) + 1}:2199"] }

  before = [{ end = var.working_hours.start, start = "00:00" }]
  after  = [{ end = "24:00", start = var.working_hours.end }]

  intervals = {
    free_days = concat(local.by_month.free, [merge(local.later, { weekdays = ["saturday", "sunday"] })])
    holidays  = local.by_month.holidays
    night = [
      { location = local.calendar.location, times = [{ end = "24:00", start = var.night.start }] },
      { location = local.calendar.location, times = [{ end = var.night.end, start = "00:00" }] },
    ]
    off_hours = concat(local.by_month.free, [
      merge(local.later, { weekdays = ["saturday", "sunday"] }),
      { location = local.calendar.location, times = concat([for time in local.before : time if time.end != "00:00"], local.after) },
    ])
    working_hours = [
      for span in concat(local.by_month.working, [merge(local.later, { weekdays = ["monday:friday"] })]) :
      merge(span, { times = [{ end = var.working_hours.end, start = var.working_hours.start }] })
    ]
  }
}
