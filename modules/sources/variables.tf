variable "containers" {
  description = <<-EOT
    What is run, by its name in the network, as the modules of sources hand it on.
      image, command, entrypoint, env, user, port, memory_mebibytes, group_add  as modules/_container takes them
      binds                     directories of the Docker host by their path in the container, read-only
      data_path                 where it keeps data, which gets a volume
      config_path, files        files by name, and the folder in which it finds them
      health_path, health_port  what answers 200 while it can be used
      health                    or a command that exits 0 then; with neither nobody waits for it
  EOT
  type = map(object({
    binds            = optional(map(string), {})
    command          = list(string)
    config_path      = optional(string)
    data_path        = optional(string)
    entrypoint       = optional(list(string))
    env              = optional(set(string), [])
    files            = optional(map(string), {})
    group_add        = optional(list(string), [])
    health           = optional(list(string))
    health_path      = optional(string)
    health_port      = optional(number)
    image            = string
    memory_mebibytes = optional(number, 64)
    port             = number
    user             = optional(string, "65534:65534")
  }))
  nullable = false
}

variable "environment" {
  description = "What all services of an environment share: its name, the prefix of everything that is created; its Docker network; and the stack's identity (null outside a stack)."
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
