# What is set from outside: by make, by a person or a pipeline. The values of this environment are in main.tf and ../alerts.yaml.

variable "about_delivery" {
  description = "The way that bypasses the relay, for alerts about delivery itself, such as RelayDown: {email = [\"oncall@example.com\"]} where Grafana has an SMTP server, {webhook = \"https://…\"} for a gateway, or {robot = \"<name in robot_webhooks>\"}, whose token then is in the state. See modules/dingtalk."
  type = object({
    email   = optional(list(string), [])
    robot   = optional(string)
    webhook = optional(string)
  })
  default = null

  validation {
    condition     = var.alerting == "prometheus" || var.delivery == "native" || var.about_delivery != null
    error_message = "about_delivery is not set: no one would be notified that the relay is down, since only the relay could do it; set TF_VAR_about_delivery to {email = [\"oncall@example.com\"]}, {webhook = \"https://sms.example.com/alert\"} or {robot = \"watch\"} with its address in robot_webhooks."
  }
}

variable "alerting" {
  description = "Which engine evaluates the rules: \"grafana\" (the default, since there is one), or \"prometheus\", then rules and notifications are the platform's."
  type        = string
  default     = "grafana"
  nullable    = false
}

variable "delivery" {
  description = "\"relay\": by way of Lookout's relay; \"native\": Grafana's own DingDing contact point, without heartbeat."
  type        = string
  default     = "relay"
  nullable    = false
}

variable "grafana_auth" {
  description = "\"user:password\" or a service account's token; null: GRAFANA_AUTH. It never enters state or plan."
  type        = string
  default     = null
  ephemeral   = true
  sensitive   = true
}

variable "grafana_url" {
  description = "Address of Grafana; null: GRAFANA_URL."
  type        = string
  default     = null
}

variable "grafana_version" {
  description = "Version of that Grafana, as it shows it. The default is the oldest that Lookout knows and works with newer ones too; from 11.5.2 alert rules keep the uids of their files."
  type        = string
  default     = "10.1.0"
  nullable    = false
}

variable "heartbeat_interval" {
  description = "How often the relay is shown that the chain works. The timeout in ../platform/relay.yaml is several times that."
  type        = string
  default     = "1m"
  nullable    = false
}

variable "robot_webhooks" {
  description = "Webhook address of each robot, token included; from TF_VAR_robot_webhooks or an ignored *.auto.tfvars.json. Empty only with delivery = \"relay\"."
  type        = map(string)
  default     = {}
  nullable    = false
  sensitive   = true

  validation {
    condition     = var.delivery != "native" || length(setsubtract(local.robots, nonsensitive(keys(var.robot_webhooks)))) == 0
    error_message = "robot_webhooks has no address for ${join(", ", setsubtract(local.robots, nonsensitive(keys(var.robot_webhooks))))}; set TF_VAR_robot_webhooks to {name = \"https://oapi.dingtalk.com/robot/send?access_token=…\"}, or delivery to \"relay\"."
  }
}

variable "runbook_base_url" {
  description = "What runbook paths are relative to: the repository's address up to the branch. null: messages name the path."
  type        = string
  default     = null
}

variable "timing" {
  description = "How long messages wait: see modules/dingtalk."
  type = object({
    group_interval  = optional(string, "5m")
    group_wait      = optional(string, "30s")
    repeat_interval = optional(string, "4h")
  })
  default = {
    repeat_interval = "12h"
  }
  nullable = false
}
