variable "console_url" {
  description = "Address of the console (or Grafana) that links of engine `prometheus` lead to: annotations dashboard_url and panel_url, and runbook_url where `runbook_base_url` is null. null (the default): no links. Grafana's own rules link by themselves."
  type        = string
  default     = null

  validation {
    condition     = var.console_url == null || can(regex("^https?://[^[:space:]{}]+$", var.console_url))
    error_message = "console_url is \"${var.console_url == null ? "" : var.console_url}\"; give an address that begins with http:// or https://."
  }
}

variable "dashboards_path" {
  description = "Directory of the dashboards that rules may link to (`<path>/<folder>/<uid>.json`). null (the default): links are taken unchecked."
  type        = string
  default     = null
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

variable "intervals" {
  description = "How often a group is evaluated in this environment, by group name, where it differs from the file (`10s` or a multiple). It counts more than `settings`."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "labels" {
  description = "Labels for every alert, in addition to its own and lookout_env. They count more than those in `settings`."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "left_out" {
  description = "Names of rule files that this environment does not apply, such as \"redis.yaml\" where there is no Redis. What `settings` says about their alerts and groups counts for nothing."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "overrides" {
  description = "What differs from the files in this environment, by alert: the `threshold` (in the rule's unit), the `pending` period (`for` in the file), the `window` that the rule averages over, the `severity`, and whether it is `paused`. Each field counts more than the same in `settings`."
  type = map(object({
    paused    = optional(bool)
    pending   = optional(string)
    severity  = optional(string)
    threshold = optional(string)
    window    = optional(string)
  }))
  default  = {}
  nullable = false
}

variable "path" {
  description = "Directory of the rule files (`*.yaml`; `*.test.yaml` next to them are unit tests for promtool and are not read)."
  type        = string
  nullable    = false

  validation {
    condition     = length([for file in fileset(var.path, "*.yaml") : file if !endswith(file, ".test.yaml")]) > 0
    error_message = "path is \"${var.path}\", where there is no rule file; give the directory that holds *.yaml."
  }
}

variable "runbook_base_url" {
  description = "What runbook paths in the rule files are relative to, e.g. the repository's address up to the branch. null (the default): the console's runbooks where `console_url` is set; otherwise messages name the path, without a link."
  type        = string
  default     = null

  validation {
    condition     = var.runbook_base_url == null || can(regex("^https?://", var.runbook_base_url))
    error_message = "runbook_base_url is \"${var.runbook_base_url == null ? "" : var.runbook_base_url}\"; give an address that begins with https://."
  }
}

variable "settings" {
  description = "YAML file with what differs from the rule files in this environment, `envs/<env>/alerts.yaml`: `intervals`, `labels` and `overrides` as in the variables of the same names. null (the default): nothing."
  type        = string
  default     = null

  validation {
    condition     = var.settings == null || try(fileexists(var.settings), false)
    error_message = "settings is \"${coalesce(var.settings, "-")}\", which is not a file; give an environment's alerts.yaml."
  }
}
