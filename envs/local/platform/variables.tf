variable "bind_address" {
  description = "Address of the host on which ports are published. Loopback: Prometheus and the exporter have no login."
  type        = string
  default     = "127.0.0.1"
  nullable    = false

  validation {
    condition     = can(cidrhost("${var.bind_address}/32", 0)) || can(cidrhost("${var.bind_address}/128", 0))
    error_message = "bind_address is \"${var.bind_address}\", which is no IP address; use \"127.0.0.1\" for this machine only."
  }
}

variable "docker_host" {
  description = "The engine to use, for example \"ssh://ops@monitoring.example.com\". Null takes DOCKER_HOST, or the engine of this machine."
  type        = string
  default     = null
}

variable "grafana_admin_password" {
  description = "Password of Grafana's user \"admin\", at least 8 characters. `make init` generates one into secrets.auto.tfvars.json."
  type        = string
  nullable    = false
  sensitive   = true
}

variable "images" {
  description = "Image of each container. `make init` writes images.auto.tfvars.json with what it pulled or built; the defaults are the published ones, and there are none for Lookout's own programs."
  type = object({
    exporter   = optional(string)
    grafana    = optional(string, "grafana/grafana:13.2.3")
    prometheus = optional(string, "prom/prometheus:v3.16.0")
    relay      = optional(string)
    robot      = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for image in [var.images.exporter, var.images.relay, var.images.robot] : image != null])
    error_message = "images names no image for exporter, relay or robot, of which there is no published one; run `make init ENV=local`, which builds them and writes images.auto.tfvars.json."
  }
}

variable "memory_mebibytes" {
  description = "Memory limit of each container in MiB, swap included."
  type = object({
    exporter   = optional(number, 256)
    grafana    = optional(number, 512)
    prometheus = optional(number, 512)
    relay      = optional(number, 128)
  })
  default  = {}
  nullable = false
}

variable "name" {
  description = "Name of the environment: its network, and the prefix of every container and volume."
  type        = string
  default     = "lookout-local"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9_.-]{0,40}$", var.name))
    error_message = "name is \"${var.name}\"; use at most 41 lower-case letters, digits, dots, dashes and underscores, beginning with a letter or digit."
  }
}

variable "ports" {
  description = "Port of each service on the host. Every environment has its own, so that they can stand side by side on one machine."
  type = object({
    exporter   = optional(number, 9100)
    grafana    = optional(number, 3001)
    prometheus = optional(number, 9090)
    relay      = optional(number, 8070)
    robot      = optional(number, 8060)
  })
  default  = {}
  nullable = false

  validation {
    condition     = length(distinct(values(var.ports))) == length(values(var.ports))
    error_message = "ports gives one port to two services: ${jsonencode(var.ports)}; give each its own."
  }
}

variable "relay_secrets_directory" {
  description = "Directory on the Docker host with the files that relay.yaml names below /secrets, and the robots.yaml of the stand-in robot. Null: the folder secrets beside this file, which `make init` fills; with docker_host on another machine, a copy of it there."
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
  description = "Address under which people reach Grafana, the base of every link in a message. Null: the port on this machine."
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
  description = "Scrape jobs beside \"go\" and \"prometheus\", as modules/prometheus takes them."
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

  validation {
    condition     = can(regex("^(UTC|[A-Za-z_]+(/[A-Za-z0-9_+-]+){1,2})$", var.time_zone))
    error_message = "time_zone is \"${var.time_zone}\"; use an IANA name such as \"Asia/Shanghai\", \"Europe/Berlin\" or \"UTC\"."
  }
}
