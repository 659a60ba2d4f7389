variable "alerts" {
  description = "The rules to write, with this environment's thresholds: `module.alerts.alerts`."
  type = object({
    groups = map(object({
      interval_seconds = number
      rules            = list(string)
    }))
    rules = map(object({
      annotations     = map(string)
      compare         = string
      dashboard       = optional(string)
      exec_err_state  = string
      expr            = string
      group           = string
      keep_firing_for = optional(string)
      labels          = map(string)
      no_data_state   = string
      panel           = optional(string)
      paused          = bool
      pending_seconds = number
      runbook         = map(string)
      threshold       = number
      uid             = string
    }))
  })
  nullable = false
}

variable "contact_point" {
  description = "Contact point that the rules notify directly, past the notification policy; needs Grafana 10.4. null (the default) leaves it to the policy, which works everywhere."
  type        = string
  default     = null

  validation {
    condition     = var.contact_point == null || local.grafana >= 10004000
    error_message = "contact_point needs Grafana 10.4, but grafana_version is ${var.grafana_version}; leave it out, or give the version that Grafana has."
  }
}

variable "datasource" {
  description = "The Prometheus that the rules ask: `module.datasource.prometheus`."
  type = object({
    name = string
    type = string
    uid  = string
  })
  nullable = false
}

variable "folder" {
  description = "uid and title of the folder that the rules are kept in. No dashboard folder may have the same title."
  type = object({
    title = optional(string, "Alerts")
    uid   = optional(string, "lookout-alerts")
  })
  default  = {}
  nullable = false
}

variable "grafana_version" {
  description = "Version of the Grafana that the rules are written to. From 11.5.2 rules get the uids and groups of the files, from 11.6 keep_firing_for. The default is the oldest that works, so it is safe anywhere; crossing 11.5.2 recreates the rules."
  type        = string
  default     = "10.1.0"
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]+[.][0-9]+([.][0-9]+)?", var.grafana_version))
    error_message = "grafana_version is \"${var.grafana_version}\"; give it as Grafana shows it, such as \"12.1.0\"."
  }
}

variable "missing_series_evaluations" {
  description = "Evaluations without a series after which its alert is resolved; needs Grafana 12.0. null (the default): Grafana's two. More of them keep an alert that fires through a short loss of data, instead of reporting that it may not have recovered."
  type        = number
  default     = null

  validation {
    condition     = var.missing_series_evaluations == null ? true : var.missing_series_evaluations >= 1 && floor(var.missing_series_evaluations) == var.missing_series_evaluations
    error_message = "missing_series_evaluations is ${var.missing_series_evaluations == null ? 0 : var.missing_series_evaluations}; give a whole number of evaluations, 1 or more."
  }

  validation {
    condition     = var.missing_series_evaluations == null || local.grafana >= 12000000
    error_message = "missing_series_evaluations needs Grafana 12.0, but grafana_version is ${var.grafana_version}; leave it out, or give the version that Grafana has."
  }
}
