variable "access_token" {
  description = "Access token that callers must send. It protects nothing here and is not secret: the messages stay on this machine."
  type        = string
  default     = "lookout"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]+$", var.access_token))
    error_message = "access_token is \"${var.access_token}\"; use letters, digits, dashes and underscores, since it stands in a URL."
  }
}

variable "environment" {
  description = "What all services of an environment share: its name, the prefix of everything that is created (for example \"lookout-local\"); its Docker network, in which this service is known as \"robot\"; and the stack's identity, a label on everything (null outside a stack)."
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

variable "image" {
  description = "Image with /bin/robot. There is no published one; it is built from app/robot."
  type        = string
  nullable    = false

  validation {
    condition     = trimspace(var.image) != ""
    error_message = "image is empty; give an image with a tag, for example \"lookout/robot:dev\"."
  }
}

variable "keywords" {
  description = "Keywords of which one must stand in a message, as with DingTalk's own robots; 10 at most. None switches the check off."
  type        = list(string)
  default     = ["报警"]
  nullable    = false

  validation {
    condition     = length(var.keywords) <= 10 && alltrue([for keyword in var.keywords : trimspace(keyword) != ""])
    error_message = "keywords is ${jsonencode(var.keywords)}; give at most 10, none of them empty."
  }
}

variable "memory_mebibytes" {
  description = "Memory limit in MiB, swap included. It keeps its messages in memory, the newest 1,000 of at most 20,000 bytes."
  type        = number
  default     = 128
  nullable    = false

  validation {
    condition     = var.memory_mebibytes >= 16 && floor(var.memory_mebibytes) == var.memory_mebibytes
    error_message = "memory_mebibytes is ${var.memory_mebibytes}; give a whole number of MiB, 16 or more."
  }
}

variable "publish" {
  description = "Address and port on the host, or null to publish nothing. Loopback unless said otherwise."
  type = object({
    ip   = optional(string, "127.0.0.1")
    port = optional(number, 8060)
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

variable "robots_directory" {
  description = "Directory on the Docker host with a robots.yaml that describes several robots, as app/robot/README.md shows it; it takes the place of access_token and keywords, and what is in it does not enter Terraform's state. null: one robot."
  type        = string
  default     = null

  validation {
    condition     = var.robots_directory == null || startswith(coalesce(var.robots_directory, "-"), "/")
    error_message = "robots_directory is \"${coalesce(var.robots_directory, "-")}\"; give an absolute path on the Docker host."
  }
}

variable "time_zone" {
  description = "IANA name of the zone in which the page gives times."
  type        = string
  default     = "Asia/Shanghai"
  nullable    = false

  validation {
    condition     = can(regex("^(UTC|[A-Za-z_]+(/[A-Za-z0-9_+-]+){1,2})$", var.time_zone))
    error_message = "time_zone is \"${var.time_zone}\"; use an IANA name such as \"Asia/Shanghai\", \"Europe/Berlin\" or \"UTC\"."
  }
}
