variable "about_delivery" {
  description = "The channel for alerts about delivery itself (label lookout_about = \"delivery\"), such as RelayDown, that does not go through the relay. At least one of: `email`, addresses (Grafana needs an SMTP server for it); `webhook`, a gateway that takes Grafana's JSON, whose address is not secret; `robot`, the name of a robot in `webhooks`, reached by Grafana's own DingDing contact point. They also go through the relay: twice is better than not at all. null (the default): through the relay only, and no one is notified when it is down."
  type = object({
    email   = optional(list(string), [])
    robot   = optional(string)
    webhook = optional(string)
  })
  default = null

  validation {
    condition     = var.about_delivery == null ? true : length(var.about_delivery.email) > 0 || var.about_delivery.robot != null || var.about_delivery.webhook != null
    error_message = "about_delivery names no channel; give it email, webhook or robot, or say null."
  }

  validation {
    condition     = var.about_delivery == null ? true : alltrue([for address in var.about_delivery.email : can(regex("^[^@[:space:]]+@[^@[:space:]]+$", address))])
    error_message = "about_delivery.email has ${join(", ", [for address in try(var.about_delivery.email, []) : "\"${address}\"" if !can(regex("^[^@[:space:]]+@[^@[:space:]]+$", address))])}; write addresses such as \"oncall@example.com\"."
  }

  # This address is not sensitive to the provider: it stands in every plan.
  validation {
    condition = try(var.about_delivery.webhook, null) == null ? true : (
      can(regex("^https://[^/[:space:]@]+(/[^[:space:]]*)?$", var.about_delivery.webhook)) ||
      can(regex("^http://[^/[:space:]@]+(/[^[:space:]]*)?$", var.about_delivery.webhook)) &&
      contains(concat(["127.0.0.1", "localhost"], tolist(var.plain_http_hosts)), try(regex("^http://([^/:]+)", var.about_delivery.webhook)[0], ""))
    ) && !can(regex("access_token=", var.about_delivery.webhook))
    error_message = "about_delivery.webhook is not an address that may be seen: give https://<host>/<path> (http:// only for hosts in plain_http_hosts) without user, password or token; a DingTalk robot belongs into about_delivery.robot."
  }
}

variable "default_robot" {
  description = "Robot that gets what no route sends elsewhere; null (the default): the only one, or the first by name."
  type        = string
  default     = null

  validation {
    condition     = var.default_robot == null || contains(var.robots, coalesce(var.default_robot, "-"))
    error_message = "default_robot is \"${coalesce(var.default_robot, "-")}\", which is not one of robots (${join(", ", var.robots)})."
  }
}

variable "delivery" {
  description = "How messages get to DingTalk: \"native\" is Grafana's own DingDing contact point (no signing, mentions, rate limit or retry), \"relay\" a webhook to Lookout's relay, which has them and loses nothing."
  type        = string
  default     = "native"
  nullable    = false

  validation {
    condition     = contains(["native", "relay"], var.delivery)
    error_message = "delivery is \"${var.delivery}\"; write \"native\" or \"relay\"."
  }
}

variable "email" {
  description = "Addresses that get every message as well; empty (the default) for none. Grafana needs an SMTP server for it (GF_SMTP_…)."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for address in var.email : can(regex("^[^@[:space:]]+@[^@[:space:]]+$", address))])
    error_message = "email has ${join(", ", [for address in var.email : "\"${address}\"" if !can(regex("^[^@[:space:]]+@[^@[:space:]]+$", address))])}; write addresses such as \"oncall@example.com\"."
  }
}

variable "environment" {
  description = "Name of the environment: alerts whose label lookout_env has this value are routed here."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*$", var.environment))
    error_message = "environment is \"${var.environment}\"; give a name of small letters, digits and dashes, such as \"prod\"."
  }
}

variable "heartbeat" {
  description = "An alert that always fires and is sent to the relay every `interval`, as the sign that Prometheus, Grafana and the way between them and the relay work; the relay's configuration has a heartbeat of this `name` and raises the alarm when it stops coming. It reaches no robot. null (the default): none. Only for delivery = \"relay\"."
  type = object({
    alert    = optional(string, "Watchdog")
    interval = optional(string, "1m")
    name     = optional(string, "chain")
  })
  default = null

  validation {
    condition     = var.heartbeat == null || var.delivery == "relay"
    error_message = "heartbeat needs delivery = \"relay\": a robot would only repeat that all is well."
  }

  validation {
    condition     = var.heartbeat == null ? true : can(regex("^[a-z0-9][a-z0-9_-]{0,62}$", var.heartbeat.name))
    error_message = "heartbeat.name is \"${try(var.heartbeat.name, "")}\"; write it as in the relay's configuration: small letters, digits, - and _."
  }

  validation {
    condition     = var.heartbeat == null ? true : can(regex("^([1-9][0-9]{0,8}(s|m|h|d))+$", var.heartbeat.interval)) && try(sum([for part in regexall("([0-9]+)(s|m|h|d)", var.heartbeat.interval) : part[0] * { s = 1, m = 60, h = 3600, d = 86400 }[part[1]]]) < 31536000, false)
    error_message = "heartbeat.interval is \"${try(var.heartbeat.interval, "")}\"; give a duration such as \"1m\", shorter than the timeout in the relay's configuration, in whole seconds."
  }
}

variable "keyword" {
  description = "Keyword that the robots' security setting asks for. It stands in title and body of every message, and in the summary of every rule."
  type        = string
  default     = "报警"
  nullable    = false

  validation {
    condition     = can(regex("^[^{}\"\\\\[:space:]]+$", var.keyword))
    error_message = "keyword is \"${var.keyword}\"; give one word, as it stands in the robot's security settings."
  }
}

variable "own_policy" {
  description = "Whether Lookout owns the notification policy. It is one tree for the whole Grafana, and what others put there is lost; say false where it is not Lookout's alone, and let the rules name their contact point (Grafana 10.4)."
  type        = bool
  default     = true
  nullable    = false
}

variable "plain_http_hosts" {
  description = "Hosts that webhooks may name with http:// instead of https://, for a robot inside the container network or on the loopback. Empty by default: a token must not travel in clear."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "relay_url" {
  description = "Address of the relay as Grafana sees it (delivery = \"relay\")."
  type        = string
  default     = "http://relay:8070"
  nullable    = false

  validation {
    condition     = can(regex("^https?://[^/[:space:]@]+$", trimsuffix(var.relay_url, "/")))
    error_message = "relay_url is \"${replace(var.relay_url, "/.*@/", "…@")}\"; give http:// or https:// and a host, nothing else."
  }
}

variable "robots" {
  description = "Names of the robots, one contact point each. With delivery = \"relay\" the relay's configuration has robots of the same names."
  type        = set(string)
  nullable    = false

  validation {
    condition     = length(var.robots) > 0 && alltrue([for name in var.robots : can(regex("^[a-z][a-z0-9-]*$", name))])
    error_message = "robots is [${join(", ", var.robots)}]; give at least one name of small letters, digits and dashes, such as \"oncall\"."
  }
}

variable "routes" {
  description = "What goes to another than the default robot: the first route wins whose labels all match, and with `continue` the following ones are looked at as well."
  type = list(object({
    continue = optional(bool, false)
    labels   = map(string)
    robot    = string
  }))
  default  = []
  nullable = false

  validation {
    condition     = alltrue([for route in var.routes : contains(var.robots, route.robot)])
    error_message = "routes name ${join(", ", [for route in var.routes : "\"${route.robot}\"" if !contains(var.robots, route.robot)])}, which is not one of robots (${join(", ", var.robots)})."
  }

  validation {
    condition     = alltrue([for route in var.routes : length(route.labels) > 0])
    error_message = "a route to ${join(", ", [for route in var.routes : route.robot if length(route.labels) == 0])} has no labels and would catch everything; make that the default_robot."
  }
}

variable "rules" {
  description = "The alert rules whose messages are delivered: `module.alerts.alerts.rules`. Each summary has to hold the keyword."
  type = map(object({
    file    = string
    summary = string
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name, rule in var.rules : strcontains(rule.summary, var.keyword)])
    error_message = "The robots ask for the keyword ${var.keyword}, which is missing in the summary of ${join(", ", [for name, rule in var.rules : "${name} (${rule.file})" if !strcontains(rule.summary, var.keyword)])}; write it there."
  }
}

variable "second_relay_url" {
  description = "Address of the second relay of a pair as Grafana sees it (delivery = \"relay\"); null (the default): there is one relay. Everything is posted to both, and one of them delivers it."
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

variable "templates" {
  description = "Files with Go templates of Grafana's notifications, for title and body of a message; $${keyword} in them is replaced. null (the default): those that come with this module."
  type = object({
    body  = optional(string)
    title = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name, file in var.templates : file == null || try(fileexists(file), false)])
    error_message = "templates: ${join(", ", [for name, file in var.templates : coalesce(file, "-") if file != null && !try(fileexists(file), false)])} is not a file."
  }
}

variable "timing" {
  description = "How long the first message of a group waits for more alerts (group_wait), how soon a change in the group is sent (group_interval), and how often an unchanged one is repeated (repeat_interval)."
  type = object({
    group_interval  = optional(string, "5m")
    group_wait      = optional(string, "30s")
    repeat_interval = optional(string, "4h")
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name, value in var.timing : can(regex("^([1-9][0-9]{0,9}s|[1-9][0-9]{0,7}m|[1-9][0-9]{0,5}h|[1-9][0-9]{0,4}d|[1-9][0-9]{0,3}w|[1-9][0-9]?y)+$", value))])
    error_message = "timing: ${join(", ", [for name, value in var.timing : "${name} is \"${value}\"" if !can(regex("^([1-9][0-9]{0,9}s|[1-9][0-9]{0,7}m|[1-9][0-9]{0,5}h|[1-9][0-9]{0,4}d|[1-9][0-9]{0,3}w|[1-9][0-9]?y)+$", value))])}; give durations in whole seconds above zero such as \"30s\", \"5m\" or \"36h\": Grafana refuses 0 and fractions."
  }
}

variable "webhooks" {
  description = "Webhook address of each robot by name, token included (delivery = \"native\", and about_delivery's robot). The provider keeps it in state, marked sensitive; only the relay avoids that."
  type        = map(string)
  default     = {}
  sensitive   = true
  nullable    = false

  validation {
    condition = alltrue([
      for name, url in var.webhooks :
      can(regex("^https://[^/[:space:]@]+/[^[:space:]?]*[?]([^[:space:]]*&)?access_token=[^&[:space:]]+(&[^[:space:]]*)?$", url)) ||
      can(regex("^http://[^/[:space:]@]+/[^[:space:]?]*[?]([^[:space:]]*&)?access_token=[^&[:space:]]+(&[^[:space:]]*)?$", url)) &&
      contains(concat(["127.0.0.1", "localhost"], tolist(var.plain_http_hosts)), try(regex("^http://([^/:]+)", url)[0], ""))
    ])
    error_message = "webhooks: the address of ${join(", ", nonsensitive([
      for name, url in var.webhooks : name
      if !(can(regex("^https://[^/[:space:]@]+/[^[:space:]?]*[?]([^[:space:]]*&)?access_token=[^&[:space:]]+(&[^[:space:]]*)?$", url)) ||
        can(regex("^http://[^/[:space:]@]+/[^[:space:]?]*[?]([^[:space:]]*&)?access_token=[^&[:space:]]+(&[^[:space:]]*)?$", url)) &&
      contains(concat(["127.0.0.1", "localhost"], tolist(var.plain_http_hosts)), try(regex("^http://([^/:]+)", url)[0], "")))
    ]))} is not one of a DingTalk robot; copy it whole from the group's robot settings: https://oapi.dingtalk.com/robot/send?access_token=… (http:// only for hosts in plain_http_hosts)."
  }

  validation {
    condition     = length(setsubtract(nonsensitive(keys(var.webhooks)), concat(tolist(var.robots), compact([try(var.about_delivery.robot, null)])))) == 0
    error_message = "webhooks has ${join(", ", setsubtract(nonsensitive(keys(var.webhooks)), concat(tolist(var.robots), compact([try(var.about_delivery.robot, null)]))))}, which is neither one of robots (${join(", ", var.robots)}) nor about_delivery's."
  }

  validation {
    condition     = var.delivery != "native" || length(setsubtract(var.robots, nonsensitive(keys(var.webhooks)))) == 0
    error_message = "webhooks has no address for ${join(", ", setsubtract(var.robots, nonsensitive(keys(var.webhooks))))}; native delivery needs one for each of robots."
  }
}
