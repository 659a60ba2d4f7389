variable "binds" {
  description = "Directories of the Docker host by their path in the container, always read-only. One that does not exist is refused; Docker does not make it."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "command" {
  description = "Arguments of the image's entrypoint."
  type        = list(string)
  nullable    = false
}

variable "entrypoint" {
  description = "Program to run; null takes the image's own."
  type        = list(string)
  default     = null
}

variable "env" {
  description = "Environment as NAME=value. No secrets: they would be in `docker inspect` and in Terraform's state."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "environment" {
  description = "What all containers of an environment share: its name (prefix of everything), its network, and the stack's identity, which is null outside a stack."
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

variable "grace_seconds" {
  description = "Seconds the service has to end by itself before it is killed."
  type        = number
  default     = 30
  nullable    = false
}

variable "group_add" {
  description = "Numbers of further groups, for files of the host that only a group may read."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "health" {
  description = "Command that exits 0 while the service is healthy, run inside the container, and whether it holds (keeps asking by itself instead of being started again every 5 s). Null: nothing in the image could ask, and an apply does not wait."
  type = object({
    command = list(string)
    holds   = optional(bool, true)
  })
}

variable "hosts" {
  description = "Further host names with their addresses; \"host-gateway\" is the Docker host itself."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "image_id" {
  description = "Id of the image, normally docker_image.<service>.image_id."
  type        = string
  nullable    = false
}

variable "memory_mebibytes" {
  description = "Memory limit in MiB, swap included."
  type        = number
  nullable    = false
}

variable "port" {
  description = "Port the service listens on inside the container."
  type        = number
  nullable    = false
}

variable "publish" {
  description = "Address and port on the host, or null to publish nothing."
  type        = object({ ip = string, port = number })
  default     = null

  validation {
    condition     = var.publish == null ? true : can(cidrhost("${var.publish.ip}/32", 0)) || can(cidrhost("${var.publish.ip}/128", 0))
    error_message = "publish.ip is \"${try(var.publish.ip, "")}\", which is not an IP address; use \"127.0.0.1\" for this machine only."
  }

  validation {
    condition     = var.publish == null ? true : var.publish.port >= 1 && var.publish.port <= 65535 && floor(var.publish.port) == var.publish.port
    error_message = "publish.port is ${try(var.publish.port, 0)}; give a whole number from 1 to 65535."
  }
}

variable "service" {
  description = "Name of the service: the end of the container's name and its alias in the network."
  type        = string
  nullable    = false
}

variable "tmpfs_mebibytes" {
  description = "Sizes in MiB of writable places in memory, by path."
  type        = map(number)
  default     = { "/tmp" = 16 }
  nullable    = false
}

variable "user" {
  description = "User as uid:gid; nobody unless the image needs another. By number, since Docker would look a name up in the image."
  type        = string
  default     = "65534:65534"
  nullable    = false
}

variable "volumes" {
  description = "Named volumes by their path in the container."
  type = map(object({
    read_only   = optional(bool, false)
    volume_name = string
  }))
  default  = {}
  nullable = false
}

variable "wait_seconds" {
  description = "How long an apply waits for the container to become healthy, in seconds."
  type        = number
  default     = 60
  nullable    = false
}
