variable "night" {
  description = "When people sleep, as HH:MM in the calendar's zone."
  type = object({
    end   = optional(string, "08:00")
    start = optional(string, "22:00")
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for time in values(var.night) : can(regex("^([01][0-9]|2[0-3]):[0-5][0-9]$", time))]) && try(tonumber(replace(var.night.start, ":", "")) > tonumber(replace(var.night.end, ":", "")), false)
    error_message = "night is ${var.night.start} to ${var.night.end}; give HH:MM, the start before midnight and the end after it, such as 22:00 and 08:00."
  }
}

variable "path" {
  description = "The calendar: a YAML file with location (IANA zone), from and until (the days for which it is known, whole years), holidays (name, from, to) and working_days (weekends that are worked). calendar/china.yaml is one."
  type        = string
  nullable    = false

  validation {
    condition     = can(yamldecode(file(var.path)).until)
    error_message = "path is \"${var.path}\", which is not a calendar; give a YAML file with location, from, until, holidays and working_days."
  }
}

variable "working_hours" {
  description = "When people work on working days, as HH:MM in the calendar's zone."
  type = object({
    end   = optional(string, "18:00")
    start = optional(string, "09:00")
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for time in values(var.working_hours) : can(regex("^([01][0-9]|2[0-3]):[0-5][0-9]$", time))]) && try(tonumber(replace(var.working_hours.start, ":", "")) < tonumber(replace(var.working_hours.end, ":", "")), false)
    error_message = "working_hours are ${var.working_hours.start} to ${var.working_hours.end}; give HH:MM, the start before the end."
  }
}
