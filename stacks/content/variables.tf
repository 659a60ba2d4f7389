variable "about_delivery" {
  description = "The way that bypasses the relay, for alerts about delivery itself, such as RelayDown: see modules/dingtalk. null (the default): none."
  type = object({
    email   = optional(list(string), [])
    robot   = optional(string)
    webhook = optional(string)
  })
  default = null
}

variable "alert_settings" {
  description = "File with what differs from alerts/*.yaml in this environment (intervals, overrides, labels): see modules/alerts. null (the default): nothing."
  type        = string
  default     = null
}

variable "alerting" {
  description = "Which engine evaluates the rules: \"grafana\", then rules, contact points and policy are written here, or \"prometheus\", then they run on the platform."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["grafana", "prometheus"], var.alerting)
    error_message = "alerting is \"${var.alerting}\"; write \"grafana\" or \"prometheus\"."
  }
}

variable "delivery" {
  description = "How messages get from Grafana to people: `mode` (\"relay\", or \"native\" for Grafana's own DingDing contact point), robots and routes as in modules/dingtalk, `relay_url` as Grafana sees it, and how often the relay is shown that the chain works (`heartbeat_interval`)."
  type = object({
    default_robot      = optional(string)
    email              = optional(list(string), [])
    heartbeat_interval = optional(string, "1m")
    mode               = string
    plain_http_hosts   = optional(set(string), [])
    relay_url          = optional(string, "http://relay:8070")
    robots             = set(string)
    routes = optional(list(object({
      continue = optional(bool, false)
      labels   = map(string)
      robot    = string
    })), [])
  })
  nullable = false
}

variable "environment" {
  description = "Name of the environment, carried by every alert as lookout_env."
  type        = string
  nullable    = false
}

variable "grafana_version" {
  description = "Version of that Grafana, as it shows it. The default is the oldest that Lookout knows and works with newer ones too; from 11.5.2 alert rules keep the uids of their files."
  type        = string
  default     = "10.1.0"
  nullable    = false
}

variable "missing_series_evaluations" {
  description = "Evaluations without a series after which its alert is resolved; needs Grafana 12.0: see modules/alert-rules."
  type        = number
  default     = null
}

variable "prometheus" {
  description = "Address of Prometheus as Grafana sees it, and how often it scrapes."
  type = object({
    scrape_interval = optional(string, "10s")
    url             = optional(string, "http://prometheus:9090")
  })
  default  = {}
  nullable = false
}

variable "repository" {
  description = "Directory that holds alerts/ and dashboards/."
  type        = string
  nullable    = false
}

variable "robot_webhooks" {
  description = "Webhook address of each robot, token included; needed with native delivery, and for about_delivery's robot."
  type        = map(string)
  default     = {}
  nullable    = false
  sensitive   = true
}

variable "runbook_base_url" {
  description = "What runbook paths are relative to: the repository's address up to the branch. null (the default): messages name the path."
  type        = string
  default     = null
}

variable "schema_v2" {
  description = "Whether the provider in envs/<env>/content/terraform.tf reads dashboards that are saved as schema V2: see modules/dashboards. The one that is pinned here, 4.25.0, does not."
  type        = bool
  default     = false
  nullable    = false
}

variable "timing" {
  description = "How long messages wait: see modules/dingtalk."
  type = object({
    group_interval  = optional(string, "5m")
    group_wait      = optional(string, "30s")
    repeat_interval = optional(string, "4h")
  })
  default  = {}
  nullable = false
}
