variable "contact_point" {
  description = "Contact point that the rules notify directly, past the notification policy; needs Grafana 10.4. null (the default) leaves it to the policy, which works everywhere."
  type        = string
  default     = null
}

variable "dashboards" {
  description = "Dashboards that rules may link to: `module.dashboards.dashboards`. Empty (the default): links are taken unchecked."
  type = map(object({
    file   = string
    folder = string
    title  = string
  }))
  default  = {}
  nullable = false
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

variable "environment" {
  description = "Name of the environment. Every alert carries it as the label lookout_env, by which notifications are routed."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*$", var.environment))
    error_message = "environment is \"${var.environment}\"; give a name of small letters, digits and dashes, such as \"prod\"."
  }
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
  description = "Version of the Grafana that the rules are written to. From 11.5.2 rules get the uids and groups of the files, from 11.6 keep_firing_for. The default is the oldest that works, so it is safe anywhere; crossing 11.5.2 creates the rules anew."
  type        = string
  default     = "10.1.0"
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]+[.][0-9]+([.][0-9]+)?", var.grafana_version))
    error_message = "grafana_version is \"${var.grafana_version}\"; give it as Grafana shows it, such as \"12.1.0\"."
  }
}

variable "intervals" {
  description = "How often a group is evaluated in this environment, by group name, where it differs from the file (`10s` or a multiple)."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name, interval in var.intervals : can(regex("^[0-9]+(s|m|h)$", interval))])
    error_message = "intervals: ${join(", ", [for name, interval in var.intervals : "${name} is \"${interval}\"" if !can(regex("^[0-9]+(s|m|h)$", interval))])}; give a duration such as \"10s\" or \"1m\"."
  }
}

variable "labels" {
  description = "Labels for every alert, beside its own and lookout_env."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(setintersection(keys(var.labels), ["alertname", "grafana_folder", "lookout_env", "severity"])) == 0
    error_message = "labels must not set ${join(", ", setintersection(keys(var.labels), ["alertname", "grafana_folder", "lookout_env", "severity"]))}: notifications are routed by these."
  }
}

variable "overrides" {
  description = "What differs from the files in this environment, by alert: the threshold (in the rule's unit), the pending period (`for` in the file), the `window` that the rule averages over, and whether it is paused."
  type = map(object({
    paused    = optional(bool, false)
    pending   = optional(string)
    threshold = optional(string)
    window    = optional(string)
  }))
  default  = {}
  nullable = false

  # A string, although only numbers pass: Terraform's own refusal of another type does not name the alert.
  validation {
    condition     = alltrue([for name, override in var.overrides : override.threshold == null || can(tonumber(override.threshold))])
    error_message = "overrides: ${join(", ", [for name, override in var.overrides : "the threshold of ${name} is \"${override.threshold}\"" if override.threshold != null && !can(tonumber(override.threshold))])}, which is no number."
  }

  validation {
    condition = alltrue(flatten([
      for name, override in var.overrides : [for value in [override.pending, override.window] : value == null || can(regex("^(0s?|([0-9]+(ms|s|m|h|d|w|y))+)$", value))]
    ]))
    error_message = "overrides: ${join(", ", flatten([for name, override in var.overrides : [for value in [override.pending, override.window] : "${name} has \"${value}\"" if value != null && !can(regex("^(0s?|([0-9]+(ms|s|m|h|d|w|y))+)$", value))]]))}; give pending and window as durations such as \"5m\"."
  }
}

variable "path" {
  description = "Directory of the rule files (`*.yaml`; `*.test.yaml` beside them are unit tests for promtool and left alone)."
  type        = string
  nullable    = false

  validation {
    condition     = length([for file in fileset(var.path, "*.yaml") : file if !endswith(file, ".test.yaml")]) > 0
    error_message = "path is \"${var.path}\", where there is no rule file; give the directory that holds *.yaml."
  }
}

variable "runbook_base_url" {
  description = "What runbook paths in the rule files are relative to, e.g. the repository's address up to the branch. null (the default): messages name the path, without a link."
  type        = string
  default     = null

  validation {
    condition     = var.runbook_base_url == null || can(regex("^https?://", var.runbook_base_url))
    error_message = "runbook_base_url is \"${var.runbook_base_url == null ? "" : var.runbook_base_url}\"; give an address that begins with https://."
  }
}
