variable "alertmanager_url" {
  description = "Address of Alertmanager inside the network; null: the console shows alerts as Prometheus has them, and no silences."
  type        = string
  default     = "http://alertmanager:9093"
}

variable "dashboards" {
  description = "Directory of the dashboards, `<path>/<folder>/<uid>.json`, on the machine that runs Terraform."
  type        = string
  nullable    = false

  validation {
    condition     = length(fileset(var.dashboards, "**/*.json")) > 0
    error_message = "dashboards is \"${var.dashboards}\", which holds no dashboard; give the directory that holds <folder>/<uid>.json."
  }
}

variable "drill_series" {
  description = "Series that `lookout drill` may write into the console, where Prometheus scrapes them: \"probe\" (the default), only the metric of a drill's own alerts; \"any\", for an environment whose alerts wake no one; \"off\"."
  type        = string
  default     = "probe"
  nullable    = false

  validation {
    condition     = contains(["any", "off", "probe"], var.drill_series)
    error_message = "drill_series is \"${var.drill_series}\"; use \"probe\", \"any\" or \"off\"."
  }
}

variable "environment" {
  description = "What all services of an environment share: its name, the prefix of everything that is created (for example \"lookout-local\"); its Docker network, in which this service is known as \"console\"; and the stack's identity, a label on everything (null outside a stack)."
  type = object({
    name    = string
    network = object({ id = string, name = string })
    stack   = optional(string)
  })
  nullable = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9_.-]{0,40}$", var.environment.name))
    error_message = "environment.name is \"${var.environment.name}\"; use at most 41 lower-case letters, digits, dots, dashes and underscores, beginning with a letter or digit."
  }
}

variable "external_url" {
  description = "Address under which people reach the console; null: the published port on this machine."
  type        = string
  default     = null

  validation {
    condition     = var.external_url == null || can(regex("^https?://[^/\\s?#]+(/[^\\s?#]*)?$", var.external_url))
    error_message = "external_url is \"${coalesce(var.external_url, "null")}\"; write it like \"https://monitoring.example.com\"."
  }
}

variable "image" {
  description = "Image with /bin/lookout. There is no published one; it is built from cmd/lookout."
  type        = string
  nullable    = false

  validation {
    condition     = trimspace(var.image) != ""
    error_message = "image is empty; give an image with a tag, for example \"lookout/console:dev\"."
  }
}

variable "memory_mebibytes" {
  description = "Memory limit in MiB, swap included. With ten readers it takes about 60, half of it the program itself, and 80 for moments."
  type        = number
  default     = 128
  nullable    = false

  validation {
    condition     = var.memory_mebibytes >= 48 && floor(var.memory_mebibytes) == var.memory_mebibytes
    error_message = "memory_mebibytes is ${var.memory_mebibytes}; give a whole number of MiB, 48 or more."
  }
}

variable "mount" {
  description = "Whether the directories are mounted instead of carried over: for many hundreds of dashboards, or to see edits at once. Only where Docker runs on the machine that runs Terraform, and uid 65534 can read them."
  type        = bool
  default     = false
  nullable    = false
}

variable "prometheus_url" {
  description = "Address of Prometheus inside the network."
  type        = string
  default     = "http://prometheus:9090"
  nullable    = false
}

variable "publish" {
  description = "Address and port on the host, or null to publish nothing. Loopback unless said otherwise; beyond it, web_config_file has to say who may log in."
  type = object({
    ip   = optional(string, "127.0.0.1")
    port = optional(number, 8090)
  })
  default = {}

  validation {
    condition     = var.publish == null ? true : can(cidrhost("${var.publish.ip}/32", 0)) || can(cidrhost("${var.publish.ip}/128", 0))
    error_message = "publish.ip is \"${try(var.publish.ip, "")}\", which is not an IP address; use \"127.0.0.1\" for this machine only."
  }

  validation {
    condition     = var.publish == null ? true : var.publish.port >= 1 && var.publish.port <= 65535 && floor(var.publish.port) == var.publish.port
    error_message = "publish.port is ${try(var.publish.port, 0)}; give a whole number from 1 to 65535."
  }
}

variable "relay_url" {
  description = "Address of the relay inside the network, which the links in its messages are passed on to; answers.url of its configuration is then the console's address. null: phones reach the relay by themselves, or not at all."
  type        = string
  default     = null

  validation {
    condition     = var.relay_url == null || can(regex("^https?://[^/\\s?#]+/?$", var.relay_url))
    error_message = "relay_url is \"${coalesce(var.relay_url, "null")}\"; write it like \"http://relay:8070\"."
  }
}

variable "runbooks" {
  description = "Directory of the runbooks (Markdown) on the machine that runs Terraform; null: links to them lead nowhere."
  type        = string
  default     = null
}

variable "scrape_interval" {
  description = "How often this environment's targets are scraped: the shortest step that pictures use."
  type        = string
  default     = "10s"
  nullable    = false
}

variable "secrets_directory" {
  description = "Directory on the Docker host with the file that web_config_file names and the certificate and key in it, mounted read-only at /lookout/secrets; uid 65534 must be able to read them."
  type        = string
  default     = null

  validation {
    condition     = var.secrets_directory == null ? true : startswith(var.secrets_directory, "/")
    error_message = "secrets_directory is \"${coalesce(var.secrets_directory, "null")}\"; give an absolute path on the Docker host."
  }
}

variable "time_zone" {
  description = "IANA name of the zone in which pages give times."
  type        = string
  default     = "Asia/Shanghai"
  nullable    = false

  validation {
    condition     = can(regex("^(UTC|[A-Za-z_]+(/[A-Za-z0-9_+-]+){1,2})$", var.time_zone))
    error_message = "time_zone is \"${var.time_zone}\"; use an IANA name such as \"Asia/Shanghai\", \"Europe/Berlin\" or \"UTC\"."
  }
}

variable "web_config_file" {
  description = "Name of a file below secrets_directory in Prometheus' web configuration format: TLS and users. null only while the port is published on loopback."
  type        = string
  default     = null

  validation {
    condition     = var.web_config_file != null || var.publish == null ? true : startswith(var.publish.ip, "127.") || var.publish.ip == "::1"
    error_message = "publish.ip is \"${try(var.publish.ip, "")}\", where others reach the console and could silence alerts; give web_config_file with TLS and users, or publish on \"127.0.0.1\"."
  }

  validation {
    condition     = var.web_config_file == null || var.secrets_directory != null
    error_message = "web_config_file is \"${coalesce(var.web_config_file, "null")}\", but secrets_directory is null; name the directory on the Docker host that holds it."
  }
}
