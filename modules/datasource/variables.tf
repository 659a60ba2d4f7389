variable "basic_auth" {
  description = "User and password of a Prometheus behind basic authentication; null (the default) for one that asks for none. The provider keeps the password in state."
  type = object({
    password = string
    username = string
  })
  default   = null
  sensitive = true
}

variable "is_default" {
  description = "Whether panels that name no datasource use this one. True by default, since Lookout expects to be the only one; say false in a Grafana that has its own default."
  type        = bool
  default     = true
  nullable    = false
}

variable "name" {
  description = "Name shown in Grafana. Dashboards refer to the uid, so a new name breaks nothing."
  type        = string
  default     = "Prometheus"
  nullable    = false
}

variable "scrape_interval" {
  description = "How often Prometheus scrapes, as a duration (`10s`, `1m`). Grafana makes $__rate_interval four times as long."
  type        = string
  default     = "10s"
  nullable    = false

  validation {
    condition     = can(regex("^[1-9][0-9]*(ms|s|m|h)$", var.scrape_interval))
    error_message = "scrape_interval is \"${var.scrape_interval}\"; give a duration above zero such as \"10s\" or \"1m\"."
  }
}

variable "uid" {
  description = "Stable identifier that dashboards and alert rules refer to."
  type        = string
  default     = "prometheus"
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,40}$", var.uid))
    error_message = "uid is \"${var.uid}\"; Grafana takes 1 to 40 letters, digits, '-' and '_'."
  }
}

variable "url" {
  description = "Address of Prometheus as Grafana sees it, e.g. `http://prometheus:9090` inside the network."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^https?://[^/[:space:]@]+(/[^[:space:]]*)?$", var.url))
    error_message = "url is \"${replace(var.url, "/.*@/", "…@")}\"; give http:// or https:// and a host, without user or password (those go into basic_auth)."
  }
}
