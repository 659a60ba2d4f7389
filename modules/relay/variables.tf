variable "answers" {
  description = "What a config that has answers need not say, because whoever calls this module knows it: url, how phones reach the console or the relay, and silences, the Alertmanager that silences are made in as the relay reaches it (null: none). What config says itself goes first; without answers in it nothing of this is used."
  type = object({
    silences = optional(string)
    url      = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for address in compact([var.answers.silences, var.answers.url]) : can(regex("^https?://[^/\\s?#@]+(/[^\\s?#]*)?$", address))])
    error_message = "answers has ${join(", ", [for address in compact([var.answers.silences, var.answers.url]) : "\"${address}\""])}; write addresses like \"https://monitoring.example.com\", without user, query or fragment."
  }
}

variable "config" {
  description = "The relay's configuration as YAML, normally file(\"relay.yaml\"); app/relay/docs/configuration.md describes it. Secrets stand in it as names of files below /secrets only, since this text is in Terraform's state. The relay itself checks it before the running one is touched."
  type        = string
  nullable    = false

  validation {
    condition     = can(yamldecode(var.config)) && can(keys(yamldecode(var.config)))
    error_message = "config is not a YAML mapping: ${try(tostring(yamldecode(var.config)), "it cannot be parsed")}. Give the content of a relay.yaml."
  }

  validation {
    condition     = !can(regex("access_token=|(^|[^A-Za-z0-9])SEC[0-9a-f]{32}", var.config))
    error_message = "config holds what looks like a robot's token or signing secret, which would end up in the state; put it into a file in secrets_directory and name that as /secrets/<file>."
  }
}

variable "environment" {
  description = "What all services of an environment share: its name, the prefix of everything that is created (for example \"lookout-local\"); its Docker network, in which this service is known as \"relay\"; and the stack's identity, a label on everything (null outside a stack)."
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
  description = "Image with /bin/relay. There is no published one; it is built from app/relay."
  type        = string
  nullable    = false

  validation {
    condition     = trimspace(var.image) != ""
    error_message = "image is empty; give an image with a tag, for example \"lookout/relay:dev\"."
  }
}

variable "memory_mebibytes" {
  description = "Memory limit in MiB, swap included. It uses some 30 MiB; the rest is for storms, since a digest of 1,000 notifications is made in memory."
  type        = number
  default     = 128
  nullable    = false

  validation {
    condition     = var.memory_mebibytes >= 48 && floor(var.memory_mebibytes) == var.memory_mebibytes
    error_message = "memory_mebibytes is ${var.memory_mebibytes}; give a whole number of MiB, 48 or more."
  }
}

variable "publish" {
  description = "Address and port on the host, or null to publish nothing. Loopback unless said otherwise; beyond it, give the configuration a bearer_token_file."
  type = object({
    ip   = optional(string, "127.0.0.1")
    port = optional(number, 8070)
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

variable "replica" {
  description = "Which relay of a pair this is: 1 (the default, also for a relay alone) or 2, which is known as \"relay-2\" in the network and has a spool of its own. Both get the same config, with pair: in it, but for its peer; senders post to both (second_relay_url of modules/dingtalk and modules/alertmanager)."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = contains([1, 2], var.replica)
    error_message = "replica is ${var.replica}; give 1 or 2: a pair is two relays."
  }

  validation {
    condition     = var.replica == 1 || can(keys(yamldecode(var.config).pair))
    error_message = "replica is ${var.replica}, and config has no pair; without one both relays deliver everything. See app/relay/docs/configuration.md, Two relays."
  }
}

variable "reserve_mebibytes" {
  description = "MiB of the spool's disk that are left free for the relay's own bookkeeping; with less, notifications are answered 507 and the sender keeps them."
  type        = number
  default     = 64
  nullable    = false

  validation {
    condition     = var.reserve_mebibytes >= 1 && floor(var.reserve_mebibytes) == var.reserve_mebibytes
    error_message = "reserve_mebibytes is ${var.reserve_mebibytes}; give a whole number of MiB, 1 or more."
  }
}

variable "secrets_directory" {
  description = "Directory on the Docker host with the files that config names below /secrets, mounted read-only as a whole, so that replaced files are seen. Uid 65534, or secrets_group_id, must be able to read them. The relay reads them again when they change, so a new token needs no apply, and none is ever in Terraform's state."
  type        = string
  nullable    = false

  validation {
    condition     = startswith(var.secrets_directory, "/")
    error_message = "secrets_directory is \"${var.secrets_directory}\"; give an absolute path on the Docker host."
  }
}

variable "secrets_group_id" {
  description = "Number of a group on the Docker host that may read the secrets, where their files belong to root:<group> with mode 0640. null: they are readable by uid 65534."
  type        = number
  default     = null

  validation {
    condition     = var.secrets_group_id == null ? true : var.secrets_group_id >= 1 && floor(var.secrets_group_id) == var.secrets_group_id
    error_message = "secrets_group_id is ${coalesce(var.secrets_group_id, 0)}; give a group's number, which is not root's."
  }
}

variable "templates" {
  description = "Message templates by file name, for example { \"ours.tmpl\" = file(\"ours.tmpl\") }; config then says templates: templates. app/relay/docs/templates.md describes them."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.templates) : can(regex("^[A-Za-z0-9_-]+\\.tmpl$", name))])
    error_message = "templates has ${join(", ", [for name in keys(var.templates) : "\"${name}\"" if !can(regex("^[A-Za-z0-9_-]+\\.tmpl$", name))])}; name files like \"ours.tmpl\"."
  }
}
