variable "environment" {
  description = "Name of the environment, carried by every alert as lookout_env."
  type        = string
  default     = "shared"
  nullable    = false
}

variable "grafana_version" {
  description = "Version of the Grafana. Before 10.4 its notification policy is taken over as a whole: look at what is in it first."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]+[.][0-9]+", var.grafana_version))
    error_message = "grafana_version is \"${var.grafana_version}\"; give it as Grafana shows it at /api/health, such as \"12.1.0\"."
  }
}

variable "plain_http_hosts" {
  description = "Hosts that robot_webhook may name without https, to try things on."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "prometheus_url" {
  description = "Address of the Prometheus to watch, as that Grafana sees it."
  type        = string
  nullable    = false
}

variable "robot_webhook" {
  description = "Webhook address of the DingTalk robot, token included. Set TF_VAR_robot_webhook."
  type        = string
  nullable    = false
  sensitive   = true
}
