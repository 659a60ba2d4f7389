output "intervals" {
  description = "Named times, as mute_intervals of modules/alertmanager and modules/dingtalk take them: night; holidays; free_days (holidays, and weekends that are not worked); working_hours (of working days, worked weekends included); off_hours (all others)."
  value = { for name, spans in local.intervals : name => [for span in spans : {
    days_of_month = try(span.days_of_month, [])
    location      = span.location
    months        = try(span.months, [])
    times         = try(span.times, [])
    weekdays      = try(span.weekdays, [])
    years         = try(span.years, [])
  }] }
}

output "until" {
  description = "The last day whose holidays are known."
  value       = local.calendar.until
}
