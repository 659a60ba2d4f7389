# China's holidays of 2026 with their swapped weekends.

variables {
  path = "../../calendar/china.yaml"
}

run "february_has_a_long_holiday_and_two_worked_saturdays" {
  command = plan

  assert {
    condition     = one([for span in output.intervals.free_days : span.days_of_month if span.months == ["2"]]) == ["1", "7", "8", "15", "16", "17", "18", "19", "20", "21", "22", "23"]
    error_message = "free in February: ${jsonencode([for span in output.intervals.free_days : span.days_of_month if span.months == ["2"]])}"
  }

  assert {
    condition     = one([for span in output.intervals.holidays : span.days_of_month if span.months == ["10"]]) == ["1", "2", "3", "4", "5", "6", "7"]
    error_message = "the holidays of October are others"
  }

  assert {
    condition     = contains(one([for span in output.intervals.working_hours : span.days_of_month if span.months == ["10"]]), "10") && contains(one([for span in output.intervals.working_hours : span.days_of_month if span.months == ["9"]]), "20")
    error_message = "the worked weekends of autumn are not working days"
  }

  assert {
    condition     = length(distinct(flatten([for span in output.intervals.free_days : [for day in span.days_of_month : "${span.months[0]}-${day}"]]))) + length(distinct(flatten([for span in output.intervals.working_hours : [for day in span.days_of_month : "${span.months[0]}-${day}"]]))) == 365
    error_message = "a day is neither free nor worked, or both"
  }

  assert {
    condition     = alltrue([for name in ["free_days", "off_hours", "working_hours"] : length([for span in output.intervals[name] : span if span.years == ["2027:2199"]]) == 1])
    error_message = "after the data ends there are no weekends"
  }

  assert {
    condition     = alltrue([for span in flatten(values(output.intervals)) : span.location == "Asia/Shanghai"]) && output.until == "2026-12-31"
    error_message = "a time is meant in another zone"
  }
}

run "a_file_that_is_not_a_calendar_is_refused" {
  command = plan

  variables {
    path = "../../envs/local/alerts.yaml"
  }

  expect_failures = [var.path]
}

run "hours_the_wrong_way_round_are_refused" {
  command = plan

  variables {
    night         = { start = "01:00", end = "08:00" }
    working_hours = { start = "18:00", end = "09:00" }
  }

  expect_failures = [var.night, var.working_hours]
}
