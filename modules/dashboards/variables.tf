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

variable "message" {
  description = "Commit message of every dashboard version that is saved, such as a revision; null (the default) for none. A new message alone saves every dashboard again."
  type        = string
  default     = null
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

variable "thresholds" {
  description = "Red lines by dashboard uid and panel id, for alerts whose threshold in this environment is not the one in the dashboard's file: `module.alert_rules.panel_thresholds`."
  type        = map(map(number))
  default     = {}
  nullable    = false
}
