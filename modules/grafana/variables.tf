variable "admin_password" {
  description = "Password of the user \"admin\", at least 8 characters. It counts when the data volume is empty: later changes are made in Grafana (see the README). It is in Terraform's state, since the provider has no other way into the container; encrypt the backend."
  type        = string
  nullable    = false
  sensitive   = true

  validation {
    condition     = trimspace(var.admin_password) != "" && lower(var.admin_password) != "admin"
    error_message = "admin_password is empty or \"admin\", which everybody tries first; set one of your own, for example with TF_VAR_grafana_admin_password=\"$(openssl rand -base64 18)\"."
  }

  validation {
    condition     = trimspace(var.admin_password) == "" || lower(var.admin_password) == "admin" || length(var.admin_password) >= 8
    error_message = "admin_password is shorter than 8 characters; take a longer one."
  }
}

variable "dashboards_directory" {
  description = "Directory on the Docker host, by its absolute path, from which Grafana reads `<folder>/<uid>.json` by itself: for many hundreds of dashboards. Null (the default): none. Its files have to be readable by everybody, the server runs as uid 472. Not for those that the module dashboards looks after."
  type        = string
  default     = null

  validation {
    condition     = var.dashboards_directory == null ? true : startswith(var.dashboards_directory, "/")
    error_message = "dashboards_directory is \"${coalesce(var.dashboards_directory, "null")}\", which is not an absolute path; for a directory of this repository write abspath(\"$${path.root}/...\")."
  }
}

variable "environment" {
  description = "What all services of an environment share: its name, the prefix of everything that is created (for example \"lookout-local\"); its Docker network, in which this service is known as \"grafana\"; and the stack's identity, a label on everything (null outside a stack)."
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

variable "health_command" {
  description = "Command that exits 0 while Grafana is healthy, run inside the container. Null takes wget, which the published images bring."
  type        = list(string)
  default     = null

  validation {
    condition     = var.health_command == null ? true : length(var.health_command) > 0
    error_message = "health_command is empty; give a command and its arguments, or null for the image's usual one."
  }
}

variable "image" {
  description = "Image of the Grafana server, laid out like grafana/grafana, version 10.1 or newer."
  type        = string
  default     = "grafana/grafana:13.2.3"
  nullable    = false

  validation {
    condition     = trimspace(var.image) != ""
    error_message = "image is empty; give an image with a tag, for example \"grafana/grafana:13.2.3\"."
  }
}

variable "memory_mebibytes" {
  description = "Memory limit in MiB, swap included. Idle it takes about 100; 512 leaves room for dashboards and alert evaluation."
  type        = number
  default     = 512
  nullable    = false

  validation {
    condition     = var.memory_mebibytes >= 192 && floor(var.memory_mebibytes) == var.memory_mebibytes
    error_message = "memory_mebibytes is ${var.memory_mebibytes}; give a whole number of MiB, 192 or more: Grafana's migrations do not finish in less."
  }
}

variable "publish" {
  description = "Address and port on the host. Loopback unless said otherwise; put a proxy with TLS in front rather than opening it."
  type = object({
    ip   = optional(string, "127.0.0.1")
    port = optional(number, 3001)
  })
  default  = {}
  nullable = false

  validation {
    condition     = can(cidrhost("${var.publish.ip}/32", 0)) || can(cidrhost("${var.publish.ip}/128", 0))
    error_message = "publish.ip is \"${var.publish.ip}\", which is not an IP address; use \"127.0.0.1\" for this machine only."
  }

  validation {
    condition     = var.publish.port >= 1 && var.publish.port <= 65535 && floor(var.publish.port) == var.publish.port
    error_message = "publish.port is ${var.publish.port}; give a whole number from 1 to 65535."
  }
}

variable "root_url" {
  description = "Address under which people reach Grafana, the base of every link in a message. Null means the published port on this machine."
  type        = string
  default     = null

  validation {
    condition     = var.root_url == null || can(regex("^https?://[^/\\s?#]+(/[^\\s?#]*)?$", var.root_url))
    error_message = "root_url is \"${coalesce(var.root_url, "null")}\"; write it like \"https://grafana.example.com/\"."
  }
}

variable "settings" {
  description = "Further settings of grafana.ini: section => key => value. Secrets don't belong here, they would be readable in the container's environment."
  type        = map(map(string))
  default     = {}
  nullable    = false

  validation {
    condition = alltrue(flatten([for section, settings in var.settings : [
      for key in keys(settings) : can(regex("^[A-Za-z0-9_.-]+$", "${section}${key}"))
    ]]))
    error_message = "settings has sections or keys with characters grafana.ini has not: ${join(", ", flatten([for section, settings in var.settings : [for key in keys(settings) : "[${section}] ${key}" if !can(regex("^[A-Za-z0-9_.-]+$", "${section}${key}"))]]))}; use letters, digits, dots, dashes and underscores."
  }

  validation {
    condition = alltrue(flatten([for section, settings in var.settings : [
      for key in keys(settings) : !can(regex("(password|secret|token|secret_key)$", lower(key)))
    ]]))
    error_message = "settings holds what look like secrets: ${join(", ", flatten([for section, settings in var.settings : [for key in keys(settings) : "[${section}] ${key}" if can(regex("(password|secret|token|secret_key)$", lower(key)))]]))}; they would be readable in the container's environment. The administrator's password has a variable of its own."
  }
}

variable "time_zone" {
  description = "IANA name of the zone in which messages and dashboards give times; templates format with .Local, which follows it."
  type        = string
  default     = "Asia/Shanghai"
  nullable    = false

  validation {
    condition     = can(regex("^(UTC|[A-Za-z_]+(/[A-Za-z0-9_+-]+){1,2})$", var.time_zone))
    error_message = "time_zone is \"${var.time_zone}\"; use an IANA name such as \"Asia/Shanghai\", \"Europe/Berlin\" or \"UTC\"."
  }
}

variable "wait_seconds" {
  description = "How long an apply waits for Grafana to be healthy, in seconds. The first start runs every database migration, which takes most of it on a small machine."
  type        = number
  default     = 180
  nullable    = false

  validation {
    condition     = var.wait_seconds >= 10 && floor(var.wait_seconds) == var.wait_seconds
    error_message = "wait_seconds is ${var.wait_seconds}; give a whole number of seconds, 10 or more."
  }
}
