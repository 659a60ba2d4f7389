variable "alert_overrides" {
  description = "What differs, by alert, from the rule files and from ../alerts.yaml."
  type        = any
  default     = {}
  nullable    = false
}

variable "alerting" {
  description = "\"prometheus\" or \"grafana\": who evaluates alert rules. Null: \"grafana\" where images has one, else \"prometheus\"."
  type        = string
  default     = null
}

variable "bind_address" {
  description = "Address of the host on which ports are published. Loopback: Prometheus, Alertmanager and the exporter have no login."
  type        = string
  default     = "127.0.0.1"
  nullable    = false
}

variable "console_url" {
  description = "Address under which people reach the console, the base of links in messages, for example \"https://monitoring.example.com\"."
  type        = string
  default     = null
}

variable "delivery" {
  description = "\"relay\", or \"native\" where Grafana sends by itself and there is no relay. `make` hands on what the content root says, or the other way round."
  type        = string
  default     = "relay"
  nullable    = false
}

variable "docker_host" {
  description = "The engine to use, for example \"ssh://ops@monitoring.example.com\". Null takes DOCKER_HOST, or the engine of this machine."
  type        = string
  default     = null
}

variable "grafana_admin_password" {
  description = "Password of Grafana's user \"admin\", at least 8 characters, where images has one. Set TF_VAR_grafana_admin_password; it has no default on purpose."
  type        = string
  default     = null
  sensitive   = true
}

variable "images" {
  description = "Image of each container, as stacks/platform takes them; `make init ENV=staging` writes images.auto.tfvars.json with what it found, pulled or built."
  type        = any
  default     = {}
  nullable    = false
}

variable "memory_mebibytes" {
  description = "Memory limit of each container in MiB where it differs from main.tf, swap included."
  type        = map(number)
  default     = {}
  nullable    = false
}

variable "name" {
  description = "Name of the environment: its network, and the prefix of every container and volume."
  type        = string
  default     = "lookout-staging"
  nullable    = false
}

variable "notification" {
  description = "What differs from main.tf in the routing of alerts, as the variable notification of stacks/platform; about_delivery has to be set where Prometheus evaluates."
  type        = any
  default     = {}
  nullable    = false
}

variable "ports" {
  description = "Port of each service on the host. Every environment has its own, so that they can run side by side on one machine."
  type = object({
    alertmanager = optional(number, 9094)
    console      = optional(number, 8091)
    grafana      = optional(number, 3002)
    prometheus   = optional(number, 9091)
    relay        = optional(number, 8071)
  })
  default  = {}
  nullable = false
}

variable "root_url" {
  description = "Address under which people reach Grafana, the base of its links, for example \"https://grafana.example.com/\"."
  type        = string
  default     = null
}

variable "runbook_base_url" {
  description = "What runbook paths in the rule files are relative to, for example the repository's address up to the branch. Null: the console shows them."
  type        = string
  default     = null
}

variable "scrape_jobs" {
  description = "Scrape jobs next to those of the stack itself, as modules/prometheus takes them."
  type        = any
  default     = {}
  nullable    = false
}

variable "secrets_directory" {
  description = "Directory on the Docker host with all that is secret: relay/ with the files that relay.yaml names below /secrets (modules/relay/README.md shows how to make them), prometheus/ with those that scrape_jobs name, alertmanager/ with those that notification names. Readable by uid 65534; none of it passes through Terraform."
  type        = string
  default     = "/etc/lookout"
  nullable    = false
}

variable "targets_directory" {
  description = "Directory on the Docker host with files that scrape_jobs discover targets in; see modules/prometheus."
  type        = string
  default     = null
}
