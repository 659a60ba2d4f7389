# As in the module that this one belongs to, which describes and checks them.

variable "decode_limit" {
  description = "Up to how many dashboards every file is decoded."
  type        = number
  default     = 200
  nullable    = false
}

variable "folder_titles" {
  description = "Titles of folders by directory name, where they differ from it."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "folder_uid_prefix" {
  description = "What the uids of folders begin with."
  type        = string
  default     = "lookout-"
  nullable    = false
}

variable "grafana_version" {
  description = "Version of the Grafana that the dashboards are for."
  type        = string
  default     = "10.1.0"
  nullable    = false
}

variable "min_refresh_interval" {
  description = "The fastest refresh that Grafana lets a dashboard have."
  type        = string
  default     = "5s"
  nullable    = false
}

variable "other_folders" {
  description = "Titles of folders that are made elsewhere, by uid."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "path" {
  description = "Directory with the dashboards."
  type        = string
  nullable    = false
}

variable "schema_v2" {
  description = "Whether the provider reads dashboards that are saved as schema V2."
  type        = bool
  default     = false
  nullable    = false
}

variable "thresholds" {
  description = "Red lines by dashboard uid and panel id. They only pass through: where the rules that they come from are wrong, no dashboard is planned."
  type        = map(map(number))
  default     = {}
  nullable    = false
}
