variable "enable_faults" {
  description = "Whether the service has its knobs for raising and lowering threads, goroutines, heap, latency and errors. Never where strangers reach the port."
  type        = bool
  default     = false
  nullable    = false
}

variable "environment" {
  description = "What all services of an environment share: its name, the prefix of everything that is created (for example \"lookout-local\"); its Docker network, in which this service is known as \"exporter\"; and the stack's identity, a label on everything (null outside a stack)."
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
  description = "Image with /bin/exporter. There is no published one; it is built from app/exporter."
  type        = string
  nullable    = false

  validation {
    condition     = trimspace(var.image) != ""
    error_message = "image is empty; give an image with a tag, for example \"lookout/exporter:dev\"."
  }
}

variable "instance" {
  description = "Value of the label instance under which this service is scraped."
  type        = string
  default     = "go1"
  nullable    = false

  validation {
    condition     = trimspace(var.instance) != ""
    error_message = "instance is empty; give the name the service has on dashboards, for example \"go1\"."
  }
}

variable "max_procs" {
  description = "GOMAXPROCS: how many OS threads run Go code at a time. One, since the runtime keeps idle threads for each and the alert on threads has to distinguish a fault from a host with many cores."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.max_procs >= 1 && floor(var.max_procs) == var.max_procs
    error_message = "max_procs is ${var.max_procs}; give a whole number, 1 or more."
  }
}

variable "memory_mebibytes" {
  description = "Memory limit in MiB, swap included. 256 leaves room for the heap knob to set off a memory alert before the kernel steps in."
  type        = number
  default     = 256
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
    port = optional(number, 9100)
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

variable "self_traffic" {
  description = "Requests per second that the service sends to itself, so that a fresh dashboard has data. 0 sends none."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.self_traffic >= 0 && var.self_traffic <= 1000
    error_message = "self_traffic is ${var.self_traffic}; give requests per second from 0 to 1000."
  }
}
