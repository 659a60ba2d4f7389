locals {
  # Prometheus' own grammar of durations, here since no type can say it and amtool is only asked at apply.
  duration = "^([0-9]+(ms|[ywdhms]))+$|^0$"
}

variable "about_delivery" {
  description = "Who is notified of problems with delivery itself (label lookout_about = \"delivery\"), such as RelayDown, on a path that bypasses the relay: `email`, addresses (needs `email` of the module); `webhook`, a gateway that takes Alertmanager's JSON, whose address is not secret; `robot_file`, a file below secrets_directory with a DingTalk robot's whole address, token included; `robot_url`, the same for the mock, whose token opens nothing. They go through the relay as well."
  type = object({
    email      = optional(list(string), [])
    robot_file = optional(string)
    robot_url  = optional(string)
    webhook    = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = length(var.about_delivery.email) == 0 || var.email != null
    error_message = "about_delivery.email is ${join(", ", var.about_delivery.email)}, but email is not set; give the SMTP server in email = {smarthost, from}."
  }

  validation {
    condition     = var.about_delivery.robot_file == null || var.secrets_directory != null
    error_message = "about_delivery.robot_file is \"${coalesce(var.about_delivery.robot_file, "null")}\", but secrets_directory is null; name the directory on the Docker host that holds it."
  }

  validation {
    condition     = var.about_delivery.robot_url == null || !can(regex("oapi\\.dingtalk\\.com", coalesce(var.about_delivery.robot_url, "-")))
    error_message = "about_delivery.robot_url is a real robot's address, whose token would be in Terraform's state; write it into a file in secrets_directory and name that as robot_file."
  }

  validation {
    condition     = !(var.about_delivery.robot_url != null && var.about_delivery.robot_file != null)
    error_message = "about_delivery has both robot_url and robot_file; keep one."
  }
}

variable "cluster" {
  description = "Other Alertmanagers that decide together who notifies, as host:port; null (the default): this one is alone. Prometheus has to send to all of them."
  type = object({
    advertise_address = optional(string)
    listen_address    = optional(string, "0.0.0.0:9094")
    peers             = list(string)
  })
  default = null

  validation {
    condition     = var.cluster == null ? true : alltrue([for peer in var.cluster.peers : can(regex("^[^/\\s]+:[0-9]+$", peer))])
    error_message = "cluster.peers has ${join(", ", [for peer in try(var.cluster.peers, []) : "\"${peer}\"" if !can(regex("^[^/\\s]+:[0-9]+$", peer))])}; give host:port, for example \"alertmanager-b.example.com:9094\"."
  }
}

variable "default_target" {
  description = "Target of the relay that gets what no route sends elsewhere."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]+$", var.default_target))
    error_message = "default_target is \"${var.default_target}\"; name a target of relay.yaml (letters, digits, dashes and underscores)."
  }
}

variable "email" {
  description = "SMTP server for about_delivery.email: smarthost as host:port, sender, and the login, whose password is a file below secrets_directory."
  type = object({
    auth_password_file = optional(string)
    auth_username      = optional(string)
    from               = string
    require_tls        = optional(bool, true)
    smarthost          = string
  })
  default = null
}

variable "environment" {
  description = "What all services of an environment share: its name, the prefix of everything that is created (for example \"lookout-local\"); its Docker network, in which this service is known as \"alertmanager\"; and the stack's identity, a label on everything (null outside a stack)."
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
  description = "Address under which people reach alerts and silences, normally the console's: the base of the links in messages. Null: links lead to the container's own name, where no one can follow them."
  type        = string
  default     = null

  validation {
    condition     = var.external_url == null || can(regex("^https?://[^/\\s?#]+(/[^\\s?#]*)?$", var.external_url))
    error_message = "external_url is \"${coalesce(var.external_url, "null")}\"; write it like \"https://monitoring.example.com\"."
  }
}

variable "health_command" {
  description = "Command that exits 0 while Alertmanager is healthy, run inside the container. Null takes what the image brings: /bin/probe in images called lookout/alertmanager, amtool in the published ones."
  type        = list(string)
  default     = null

  validation {
    condition     = var.health_command == null ? true : length(var.health_command) > 0
    error_message = "health_command is empty; give a command and its arguments, or null for the image's usual one."
  }
}

variable "heartbeat" {
  description = "The alert that always fires, the relay's heartbeat that it is sent to, and how often; null: it is dropped."
  type = object({
    alert    = optional(string, "Watchdog")
    interval = string
    name     = optional(string, "chain")
  })
  default = null

  validation {
    condition     = var.heartbeat == null ? true : can(regex(local.duration, var.heartbeat.interval))
    error_message = "heartbeat.interval is \"${try(var.heartbeat.interval, "")}\", which is not a valid duration; write for example \"1m\"."
  }
}

variable "image" {
  description = "Image of the server, laid out like prom/alertmanager, version 0.32 or newer."
  type        = string
  default     = "prom/alertmanager:v0.35.0"
  nullable    = false

  validation {
    condition     = trimspace(var.image) != ""
    error_message = "image is empty; give an image with a tag, for example \"prom/alertmanager:v0.35.0\"."
  }
}

variable "inhibitions" {
  description = "Further inhibition rules: while an alert matches all of `source`, those that match all of `target` and have the same values of the labels `equal` are held back. Alerts about delivery never are."
  type = list(object({
    equal  = list(string)
    source = list(string)
    target = list(string)
  }))
  default  = []
  nullable = false
}

variable "keyword" {
  description = "DingTalk's security keyword, in every message that goes to a robot without the relay."
  type        = string
  default     = "报警"
  nullable    = false
}

variable "memory_mebibytes" {
  description = "Memory limit in MiB, swap included. It takes about 20; thousands of alerts take some tens more."
  type        = number
  default     = 128
  nullable    = false

  validation {
    condition     = var.memory_mebibytes >= 48 && floor(var.memory_mebibytes) == var.memory_mebibytes
    error_message = "memory_mebibytes is ${var.memory_mebibytes}; give a whole number of MiB, 48 or more."
  }
}

variable "mute_intervals" {
  description = "Named times that routes refer to. Each is a list of spans, all of whose conditions hold together: times ({start = \"22:00\", end = \"24:00\"}), weekdays (\"monday:friday\"), days_of_month (\"1:5\", \"-3:-1\"), months (\"1:3\"), years (\"2026:2027\"); location is the IANA zone they are meant in."
  type = map(list(object({
    days_of_month = optional(list(string), [])
    location      = optional(string, "Asia/Shanghai")
    months        = optional(list(string), [])
    times         = optional(list(object({ end = string, start = string })), [])
    weekdays      = optional(list(string), [])
    years         = optional(list(string), [])
  })))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue(flatten([for spans in values(var.mute_intervals) : [for span in spans : can(regex("^(UTC|[A-Za-z_]+(/[A-Za-z0-9_+-]+){1,2})$", span.location))]]))
    error_message = "mute_intervals has zones that are not IANA names: ${join(", ", flatten([for name, spans in var.mute_intervals : [for span in spans : "${name} (\"${span.location}\")" if !can(regex("^(UTC|[A-Za-z_]+(/[A-Za-z0-9_+-]+){1,2})$", span.location))]]))}; write for example \"Asia/Shanghai\"."
  }

  validation {
    condition = alltrue(flatten([for spans in values(var.mute_intervals) : [for span in spans : [for time in span.times :
      can(regex("^([01][0-9]|2[0-3]):[0-5][0-9]$", time.start)) && can(regex("^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$", time.end))
    ]]]))
    error_message = "mute_intervals has times that are not HH:MM: ${join(", ", flatten([for name, spans in var.mute_intervals : [for span in spans : [for time in span.times : "${name} (${time.start} to ${time.end})" if !(can(regex("^([01][0-9]|2[0-3]):[0-5][0-9]$", time.start)) && can(regex("^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$", time.end)))]]]))}; a night is two spans, \"22:00\" to \"24:00\" and \"00:00\" to \"08:00\"."
  }

  validation {
    condition     = alltrue([for spans in values(var.mute_intervals) : length(spans) > 0])
    error_message = "mute_intervals has names without any time: ${join(", ", [for name, spans in var.mute_intervals : name if length(spans) == 0])}; give at least one span, or remove them."
  }
}

variable "publish" {
  description = "Address and port on the host, or null to publish nothing. Loopback unless said otherwise; it has no login of its own."
  type = object({
    ip   = optional(string, "127.0.0.1")
    port = optional(number, 9093)
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

variable "relay_token_file" {
  description = "Name of a file below secrets_directory with the token that the relay wants (its bearer_token_file); null: it wants none."
  type        = string
  default     = null

  validation {
    condition     = var.relay_token_file == null || var.secrets_directory != null
    error_message = "relay_token_file is \"${coalesce(var.relay_token_file, "null")}\", but secrets_directory is null; name the directory on the Docker host that holds it."
  }
}

variable "relay_url" {
  description = "Address of the relay inside the network."
  type        = string
  default     = "http://relay:8070"
  nullable    = false
}

variable "reload" {
  description = "How a changed configuration takes effect: \"http\" asks the server to reload on its published port; \"restart\" restarts the container, for a Docker host whose ports Terraform can't reach."
  type        = string
  default     = "http"
  nullable    = false

  validation {
    condition     = contains(["http", "restart"], var.reload)
    error_message = "reload is \"${var.reload}\"; use \"http\" or \"restart\"."
  }

  validation {
    condition     = var.reload != "http" || var.publish != null
    error_message = "reload is \"http\" but publish is null, so the server can't be reached; publish a port, or use \"restart\"."
  }
}

variable "retention" {
  description = "How long expired silences and the record of what was sent are kept. It has to be longer than repeat_interval."
  type        = string
  default     = "120h"
  nullable    = false

  validation {
    condition     = can(regex(local.duration, var.retention))
    error_message = "retention is \"${var.retention}\", which is not a valid duration; write for example \"120h\"."
  }
}

variable "routes" {
  description = "What goes to another than the default target, first match first: by `labels` (equal) and `matchers` (as Alertmanager writes them, for example \"team=~\\\"a|b\\\"\"); `mute_intervals` and `active_intervals` name entries of mute_intervals."
  type = list(object({
    active_intervals = optional(list(string), [])
    continue         = optional(bool, false)
    labels           = optional(map(string), {})
    matchers         = optional(list(string), [])
    mute_intervals   = optional(list(string), [])
    target           = string
  }))
  default  = []
  nullable = false

  validation {
    condition     = alltrue([for route in var.routes : contains(var.targets, route.target)])
    error_message = "routes lead to unknown targets: ${join(", ", distinct([for route in var.routes : "\"${route.target}\"" if !contains(var.targets, route.target)]))}; known are ${join(", ", sort(tolist(var.targets)))}."
  }

  validation {
    condition     = alltrue([for route in var.routes : length(route.labels) + length(route.matchers) > 0])
    error_message = "routes has an entry for \"${join("\", \"", [for route in var.routes : route.target if length(route.labels) + length(route.matchers) == 0])}\" without labels and matchers, which would take everything; use default_target for that."
  }

  validation {
    condition     = alltrue(flatten([for route in var.routes : [for name in concat(route.mute_intervals, route.active_intervals) : contains(keys(var.mute_intervals), name)]]))
    error_message = "routes name unknown intervals: ${join(", ", distinct(flatten([for route in var.routes : [for name in concat(route.mute_intervals, route.active_intervals) : "\"${name}\"" if !contains(keys(var.mute_intervals), name)]])))}; known are ${join(", ", concat(keys(var.mute_intervals), length(var.mute_intervals) == 0 ? ["none, since mute_intervals is empty"] : []))}."
  }
}

variable "second_relay_url" {
  description = "Address of the second relay of a pair inside the network; null (the default): there is one relay. Everything is posted to both, and one of them delivers it."
  type        = string
  default     = null

  validation {
    condition     = var.second_relay_url == null ? true : can(regex("^https?://[^/[:space:]@]+$", trimsuffix(var.second_relay_url, "/")))
    error_message = "second_relay_url is \"${replace(coalesce(var.second_relay_url, "null"), "/.*@/", "…@")}\"; give http:// or https:// and a host, nothing else."
  }

  validation {
    condition     = var.second_relay_url == null ? true : trimsuffix(var.second_relay_url, "/") != trimsuffix(var.relay_url, "/")
    error_message = "second_relay_url is relay_url, ${coalesce(var.second_relay_url, "null")}; give the other relay's, or null."
  }
}

variable "secrets_directory" {
  description = "Directory on the Docker host with the files that email and about_delivery name, mounted read-only; uid 65534 must be able to read them. None of them passes through Terraform."
  type        = string
  default     = null

  validation {
    condition     = var.secrets_directory == null ? true : startswith(var.secrets_directory, "/")
    error_message = "secrets_directory is \"${coalesce(var.secrets_directory, "null")}\"; give an absolute path on the Docker host."
  }
}

variable "targets" {
  description = "Targets of the relay that routes may name: those of relay.yaml."
  type        = set(string)
  nullable    = false

  validation {
    condition     = contains(var.targets, var.default_target)
    error_message = "default_target is \"${var.default_target}\", which is not a target; known are ${join(", ", sort(tolist(var.targets)))}."
  }
}

variable "timing" {
  description = "group_wait: how long the first alert of a group waits for others. group_interval: how often a group's changes are sent. repeat_interval: after how long an alert that goes on is sent again."
  type = object({
    group_interval  = optional(string, "1m")
    group_wait      = optional(string, "10s")
    repeat_interval = optional(string, "4h")
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for value in values(var.timing) : can(regex(local.duration, value))])
    error_message = "timing has values that are not valid durations: ${join(", ", [for name, value in var.timing : "${name} (\"${value}\")" if !can(regex(local.duration, value))])}; write for example \"10s\" or \"4h\"."
  }

  validation {
    condition     = alltrue([for value in [var.timing.group_interval, var.timing.repeat_interval] : !can(regex("^0+[a-z]*$", value))])
    error_message = "timing has a group_interval or repeat_interval of 0, which Alertmanager rejects; use at least \"1s\"."
  }
}
