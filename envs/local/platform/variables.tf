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
  description = "Address under which people reach the console, the base of links in messages. Null: the port on this machine."
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

variable "docker_socket_group" {
  description = "Number of the group that may use the engine's socket, for the source \"discovery\". `make init` writes it to docker.auto.tfvars.json."
  type        = number
  default     = 0
  nullable    = false
}

variable "grafana_admin_password" {
  description = "Password of Grafana's user \"admin\", at least 8 characters, where there is one. `make init` generates it into secrets.auto.tfvars.json."
  type        = string
  default     = null
  sensitive   = true
}

variable "images" {
  description = "Image of each container, as stacks/platform takes them; `make init ENV=local` writes images.auto.tfvars.json with what it found, pulled or built."
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
  default     = "lookout-local"
  nullable    = false
}

variable "notification" {
  description = "What differs from main.tf in the routing of alerts, as the variable notification of stacks/platform."
  type        = any
  default     = {}
  nullable    = false
}

variable "ports" {
  description = "Port of each service on the host. Every environment has its own, so that they can run side by side on one machine."
  type = object({
    alertmanager = optional(number, 9093)
    console      = optional(number, 8090)
    exporter     = optional(number, 9100)
    grafana      = optional(number, 3001)
    prometheus   = optional(number, 9090)
    relay        = optional(number, 8070)
    robot        = optional(number, 8060)
  })
  default  = {}
  nullable = false
}

variable "relay_secrets_directory" {
  description = "Directory on the Docker host with the files that relay.yaml names below /secrets, and the robots.yaml of the mock robot. Null: the folder secrets next to this file, which `make init` fills; with docker_host on another machine, a copy of it there."
  type        = string
  default     = null
}

variable "retention" {
  description = "How long and how much Prometheus keeps. Two days: enough to look back over yesterday's experiment."
  type = object({
    size = optional(string)
    time = optional(string, "2d")
  })
  default  = {}
  nullable = false
}

variable "root_url" {
  description = "Address under which people reach Grafana, the base of its links. Null: the port on this machine."
  type        = string
  default     = null
}

variable "runbook_base_url" {
  description = "What runbook paths in the rule files are relative to, for example the repository's address up to the branch. Null: the console shows them."
  type        = string
  default     = null
}

variable "scrape_interval" {
  description = "How often targets are scraped and recording rules evaluated. 2s where staging and prod have 10s, so that an alert can be watched arriving within a minute."
  type        = string
  default     = "2s"
  nullable    = false
}

variable "scrape_jobs" {
  description = "Scrape jobs next to those of the stack itself, as modules/prometheus takes them."
  type        = any
  default     = {}
  nullable    = false
}

variable "secrets_directory" {
  description = "Directory on the Docker host with passwords and certificates that scrape_jobs name; see modules/prometheus."
  type        = string
  default     = null
}

variable "self_traffic" {
  description = "Requests per second the exporter sends to itself, so that dashboards have something to show."
  type        = number
  default     = 5
  nullable    = false
}

variable "source_secrets_directory" {
  description = "Directory on the Docker host with the credentials of the sources' exporters, a folder for each: see stacks/platform. Null: the folder ../secrets, which `make init` fills for the samples."
  type        = string
  default     = null
}

variable "source_settings" {
  description = "Servers of your own that `sources` watch in place of the samples, as stacks/platform takes them."
  type        = any
  default     = {}
  nullable    = false
}

variable "sources" {
  description = "What is watched besides the sample service: any of batch, discovery, host, jvm, memcached, mysql, postgres, probe, redis. `make up SOURCES=…` writes sources.auto.tfvars.json, which takes the place of what stands here."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "targets_directory" {
  description = "Directory on the Docker host with files that scrape_jobs discover targets in; see modules/prometheus."
  type        = string
  default     = null
}

variable "time_zone" {
  description = "IANA name of the zone in which messages and dashboards give times."
  type        = string
  default     = "Asia/Shanghai"
  nullable    = false
}
