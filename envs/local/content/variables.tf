variable "about_delivery" {
  description = "The way beside the relay for alerts about delivery itself, such as RelayDown: see modules/dingtalk. Here the robot \"lookout\" of the stand-in, which Grafana reaches by itself; its token stands in the documentation and opens nothing else."
  type = object({
    email   = optional(list(string), [])
    robot   = optional(string)
    webhook = optional(string)
  })
  default = { robot = "watch" }
}

variable "default_robot" {
  description = "Robot that gets what no route sends elsewhere; null: the first by name."
  type        = string
  default     = null
}

variable "delivery" {
  description = "\"relay\": by way of Lookout's relay; \"native\": Grafana's own DingDing contact point, without heartbeat."
  type        = string
  default     = "relay"
  nullable    = false
}

variable "email" {
  description = "Addresses that get every message as well."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "environment" {
  description = "Name of the environment, carried by every alert as lookout_env."
  type        = string
  default     = "local"
  nullable    = false
}

variable "grafana_auth" {
  description = "\"user:password\" or a service account's token; null: GRAFANA_AUTH. It never enters state or plan."
  type        = string
  default     = null
  ephemeral   = true
  sensitive   = true
}

variable "grafana_version" {
  description = "Version of that Grafana, as it shows it. The default is the oldest that Lookout knows and works with newer ones too; from 11.5.2 alert rules keep the uids of their files."
  type        = string
  default     = "10.1.0"
  nullable    = false
}

variable "grafana_url" {
  description = "Address of Grafana; null: GRAFANA_URL."
  type        = string
  default     = null
}

variable "heartbeat_interval" {
  description = "How often the relay is shown that the chain works. The timeout in ../platform/relay.yaml is several times that."
  type        = string
  default     = "10s"
  nullable    = false
}

variable "plain_http_hosts" {
  description = "Hosts that robot_webhooks may name without https."
  type        = set(string)
  default     = ["robot"]
  nullable    = false
}

variable "prometheus_url" {
  description = "Address of Prometheus as Grafana sees it."
  type        = string
  default     = "http://prometheus:9090"
  nullable    = false
}

variable "relay_url" {
  description = "Address of the relay as Grafana sees it."
  type        = string
  default     = "http://relay:8070"
  nullable    = false
}

variable "robot_webhooks" {
  description = "Webhook address of each robot, token included; the robot of this environment takes any token."
  type        = map(string)
  default = {
    ops = "http://robot:8060/robot/send?access_token=lookout"
  }
  nullable  = false
  sensitive = true

  validation {
    condition     = var.delivery != "native" || length(setsubtract(var.robots, nonsensitive(keys(var.robot_webhooks)))) == 0
    error_message = "robot_webhooks has no address for ${join(", ", setsubtract(var.robots, nonsensitive(keys(var.robot_webhooks))))}; set TF_VAR_robot_webhooks to {name = \"https://oapi.dingtalk.com/robot/send?access_token=…\"}, or delivery to \"relay\"."
  }
}

variable "robots" {
  description = "Names of the robots."
  type        = set(string)
  default     = ["ops"]
  nullable    = false
}

variable "routes" {
  description = "What goes to another than the default robot, by labels."
  type = list(object({
    continue = optional(bool, false)
    labels   = map(string)
    robot    = string
  }))
  default  = []
  nullable = false
}

variable "rule_intervals" {
  description = "How often groups are evaluated here, where it differs from alerts/*.yaml. The first alert of the README has a beat of its own: Grafana spreads the rules that are due together over ten seconds, and one that is due alone is evaluated at once."
  type        = map(string)
  default = {
    delivery   = "20s"
    go-runtime = "10s"
    process    = "20s"
    service    = "20s"
    watchdog   = "20s"
  }
  nullable = false
}

variable "rule_overrides" {
  description = "What differs here from alerts/*.yaml, by alert."
  type = map(object({
    paused    = optional(bool, false)
    pending   = optional(string)
    threshold = optional(string)
    window    = optional(string)
  }))
  default = {
    # The same rule in seconds, so that a demo takes less than a minute.
    ErrorRatioHigh    = { pending = "10s", window = "30s" }
    GoThreadsHigh     = { pending = "10s", window = "30s" }
    ProcessMemoryHigh = { pending = "10s" }
    RelayDown         = { pending = "10s" }
    TargetDown        = { pending = "10s" }
  }
  nullable = false
}

variable "runbook_base_url" {
  description = "What runbook paths are relative to: the repository's address up to the branch. null: messages name the path."
  type        = string
  default     = null
}

variable "scrape_interval" {
  description = "How often Prometheus scrapes; the platform's setting."
  type        = string
  default     = "2s"
  nullable    = false
}

variable "timing" {
  description = "How long messages wait: see modules/dingtalk."
  type = object({
    group_interval  = optional(string, "5m")
    group_wait      = optional(string, "30s")
    repeat_interval = optional(string, "4h")
  })
  default = {
    group_interval  = "10s"
    group_wait      = "1s"
    repeat_interval = "1h"
  }
  nullable = false
}
