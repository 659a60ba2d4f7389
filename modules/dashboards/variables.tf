variable "datasource" {
  description = "The Prometheus that dashboards show first: `module.datasource.prometheus`."
  type = object({
    name = string
    type = string
    uid  = string
  })
  nullable = false

  validation {
    condition     = var.datasource.type == "prometheus"
    error_message = "datasource.type is \"${var.datasource.type}\"; the dashboards ask PromQL, so give a datasource of type \"prometheus\"."
  }
}

variable "decode_limit" {
  description = "Up to how many dashboards every file is decoded at plan time, so that one which is not JSON is named in one sentence. Beyond it (13 ms per dashboard) the provider's own message has to do. 200 costs about 3 s."
  type        = number
  default     = 200
  nullable    = false
}

variable "folder_titles" {
  description = "Titles of folders by directory name, where they differ from the directory name with capitals (`go-services` is \"Go Services\")."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "folder_uid_prefix" {
  description = "What the uids of folders begin with, so that they don't meet those of others in a shared Grafana."
  type        = string
  default     = "lookout-"
  nullable    = false
}

variable "grafana_version" {
  description = "Version of the Grafana, as it shows it. The default is the oldest that Lookout knows. From 10.2 on a folder that holds what Terraform did not make is not deleted; from 13 on dashboards may be saved as schema V2 (see `schema_v2`)."
  type        = string
  default     = "10.1.0"
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]+[.][0-9]+", var.grafana_version))
    error_message = "grafana_version is \"${var.grafana_version}\"; write it as Grafana shows it, such as \"13.2.3\"."
  }
}

variable "message" {
  description = "Commit message of every dashboard version that is saved, such as a revision; null (the default) for none. A new message alone saves every dashboard again."
  type        = string
  default     = null
}

variable "min_refresh_interval" {
  description = "The fastest refresh that this Grafana lets a dashboard have, its own setting of that name. A faster one would be raised to it, and be a difference at every plan."
  type        = string
  default     = "5s"
  nullable    = false

  validation {
    condition     = can(regex("^([0-9]+(ms|s|m|h))+$", var.min_refresh_interval))
    error_message = "min_refresh_interval is \"${var.min_refresh_interval}\"; give a duration such as \"5s\"."
  }
}

variable "other_folders" {
  description = "Titles of the folders that are made elsewhere in the same Grafana, by uid, such as that of the alert rules: no folder or dashboard here may have their title or uid."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "path" {
  description = "Directory whose subdirectories are the folders: `<path>/<folder>/<uid>.json`."
  type        = string
  nullable    = false

  validation {
    condition     = length(fileset(var.path, "**/*.json")) > 0
    error_message = "path is \"${var.path}\", where there is no dashboard; give the directory that holds <folder>/<uid>.json."
  }
}

variable "schema_v2" {
  description = "Whether the provider reads dashboards that are saved as schema V2, besides Grafana being 13 or later. The provider grafana/grafana 4.25 crashes on them; support came in spring 2026 (its pull request 2627)."
  type        = bool
  default     = false
  nullable    = false
}

variable "thresholds" {
  description = "Red lines by dashboard uid and panel id, for alerts whose threshold in this environment is not the one in the dashboard's file: `module.alerts.alerts.panel_thresholds`."
  type        = map(map(number))
  default     = {}
  nullable    = false
}
