variable "admin_api" {
  description = "Whether Prometheus takes snapshots for `make backup` on request (--web.enable-admin-api). Whoever reaches its port can delete series then; without it a backup pauses Prometheus for as long as copying takes."
  type        = bool
  default     = false
  nullable    = false
}

variable "alertmanagers" {
  description = "Alertmanagers as host:port, to which every alert goes: all of a cluster. None: alerts are evaluated and sent nowhere."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for address in var.alertmanagers : can(regex("^[^/\\s]+:[0-9]+$", address))])
    error_message = "alertmanagers has ${join(", ", [for address in var.alertmanagers : "\"${address}\"" if !can(regex("^[^/\\s]+:[0-9]+$", address))])}; give host:port, for example \"alertmanager:9093\"."
  }
}

variable "docker_socket" {
  description = "The engine's socket on the host and the numeric group that may read it, mounted read-only for jobs with Docker discovery. Whoever can talk to this socket is root on the host, so it stays null unless a job needs it; a filtering proxy reached over tcp:// is safer."
  type = object({
    group_id = number
    path     = optional(string, "/var/run/docker.sock")
  })
  default = null

  validation {
    condition     = var.docker_socket == null ? true : startswith(var.docker_socket.path, "/")
    error_message = "docker_socket.path is \"${try(var.docker_socket.path, "")}\"; give the absolute path of the socket, for example \"/var/run/docker.sock\"."
  }
}

variable "environment" {
  description = "What all services of an environment share: its name, the prefix of everything that is created (for example \"lookout-local\"); its Docker network, in which this service is known as \"prometheus\"; and the stack's identity, a label on everything (null outside a stack)."
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

variable "evaluation_interval" {
  description = "How often recording rules are evaluated, as a Prometheus duration. 10s: the same beat as the scrapes, so that no rule reads a sample twice."
  type        = string
  default     = "10s"
  nullable    = false

  validation {
    condition     = can(regex(local.duration, var.evaluation_interval))
    error_message = "evaluation_interval is \"${var.evaluation_interval}\", which is not a valid duration; write for example \"10s\" or \"1m30s\"."
  }
}

variable "external_labels" {
  description = "Labels added to every series that leaves this server (federation, remote write, Thanos)."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for label in keys(var.external_labels) : can(regex(local.label, label))])
    error_message = "external_labels has names that are not valid label names: ${join(", ", [for label in keys(var.external_labels) : label if !can(regex(local.label, label))])}; use letters, digits and underscores, no digit first."
  }
}

variable "external_url" {
  description = "Address under which people reach this server, the base of links in its alerts; null: none that leads anywhere outside its network."
  type        = string
  default     = null

  validation {
    condition     = var.external_url == null || can(regex("^https?://[^/\\s?#]+(/[^\\s?#]*)?$", var.external_url))
    error_message = "external_url is \"${coalesce(var.external_url, "null")}\"; write it like \"https://prometheus.example.com\"."
  }
}

variable "health_command" {
  description = "Command that exits 0 while Prometheus is healthy, run inside the container. Null takes what the image brings: /bin/probe in images called lookout/prometheus, promtool in the published ones."
  type        = list(string)
  default     = null

  validation {
    condition     = var.health_command == null ? true : length(var.health_command) > 0
    error_message = "health_command is empty; give a command and its arguments, or null for the image's usual one."
  }
}

variable "image" {
  description = "Image with /bin/prometheus and /bin/promtool, version 3.11 or newer (the first that reads retention from its configuration file correctly)."
  type        = string
  default     = "prom/prometheus:v3.16.0"
  nullable    = false

  validation {
    condition     = trimspace(var.image) != ""
    error_message = "image is empty; give an image with a tag, for example \"prom/prometheus:v3.16.0\"."
  }
}

variable "memory_mebibytes" {
  description = "Memory limit in MiB, swap included (there is none beyond it). 512 holds about 100,000 active series at 4.3 kB each, with room for queries."
  type        = number
  default     = 512
  nullable    = false

  validation {
    condition     = var.memory_mebibytes >= 64 && floor(var.memory_mebibytes) == var.memory_mebibytes
    error_message = "memory_mebibytes is ${var.memory_mebibytes}; give a whole number of MiB, 64 or more: Prometheus does not start in less."
  }
}

variable "publish" {
  description = "Address and port on the host, or null to publish nothing. Loopback unless said otherwise: Prometheus has no login, and its lifecycle API is on."
  type = object({
    ip   = optional(string, "127.0.0.1")
    port = optional(number, 9090)
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

variable "recording_rules" {
  description = "Groups of recording rules. The key of the map is the group's name. An interval of null means evaluation_interval."
  type = map(object({
    interval = optional(string)
    labels   = optional(map(string), {})
    rules = list(object({
      expr   = string
      labels = optional(map(string), {})
      record = string
    }))
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for group in values(var.recording_rules) : length(group.rules) > 0])
    error_message = "recording_rules has groups without rules: ${join(", ", [for name, group in var.recording_rules : name if length(group.rules) == 0])}; give each at least one or remove it."
  }

  validation {
    condition     = alltrue([for group in values(var.recording_rules) : group.interval == null || can(regex(local.duration, group.interval))])
    error_message = "recording_rules has intervals that are not valid durations: ${join(", ", [for name, group in var.recording_rules : "${name} (\"${group.interval}\")" if group.interval != null && !can(regex(local.duration, group.interval))])}; write for example \"30s\"."
  }

  validation {
    condition     = alltrue(flatten([for group in values(var.recording_rules) : [for rule in group.rules : can(regex("^[a-zA-Z_:][a-zA-Z0-9_:]*$", rule.record))]]))
    error_message = "recording_rules has names that are not valid metric names: ${join(", ", flatten([for name, group in var.recording_rules : [for rule in group.rules : "${name}: \"${rule.record}\"" if !can(regex("^[a-zA-Z_:][a-zA-Z0-9_:]*$", rule.record))]]))}; use letters, digits, underscores and colons, for example \"job:http_requests:rate5m\"."
  }
}

variable "reload" {
  description = "How a changed configuration becomes active: \"http\" posts /-/reload from the machine that runs Terraform and fails the apply if it was not taken; \"watch\" lets the server look at its files every 5 s, for engines on other hosts whose port Terraform cannot reach."
  type        = string
  default     = "http"
  nullable    = false

  validation {
    condition     = contains(["http", "watch"], var.reload)
    error_message = "reload is \"${var.reload}\"; choose \"http\" or \"watch\"."
  }

  validation {
    condition     = var.reload != "http" || var.publish != null
    error_message = "reload is \"http\" but publish is null, so Terraform could not reach /-/reload; publish a port or set reload to \"watch\"."
  }
}

variable "retention" {
  description = "How long and how much is kept; what is reached first counts. Time as a Prometheus duration, size in powers of two (\"10GB\" is 10 GiB), null for no limit by size. Changed without a restart."
  type = object({
    size = optional(string)
    time = optional(string, "15d")
  })
  default  = {}
  nullable = false

  validation {
    condition     = can(regex(local.duration, var.retention.time))
    error_message = "retention.time is \"${var.retention.time}\", which is not a valid duration; write for example \"15d\" or \"1y\"."
  }

  validation {
    condition     = var.retention.size == null || can(regex("^[1-9][0-9]*(B|KB|MB|GB|TB|PB|EB)$", var.retention.size))
    error_message = "retention.size is \"${coalesce(var.retention.size, "null")}\"; write a whole number and a unit, for example \"10GB\", or null for no limit by size."
  }
}

variable "rule_files" {
  description = "Further rule files: file name => content in Prometheus' own YAML. promtool checks them before the server sees them."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for file in keys(var.rule_files) : can(regex("^[A-Za-z0-9][A-Za-z0-9_.-]*\\.ya?ml$", file))])
    error_message = "rule_files has names that are not valid YAML file names: ${join(", ", [for file in keys(var.rule_files) : "\"${file}\"" if !can(regex("^[A-Za-z0-9][A-Za-z0-9_.-]*\\.ya?ml$", file))])}; use names without folders, for example \"service.yaml\"."
  }

  validation {
    condition     = length(setintersection(keys(var.rule_files), ["recording_rules.yaml", "shipped_service.yaml", "shipped_trends.yaml"])) == 0
    error_message = "rule_files uses a name the module writes itself (recording_rules.yaml, shipped_service.yaml, shipped_trends.yaml); choose another."
  }

  validation {
    condition     = alltrue([for file, content in var.rule_files : can(yamldecode(content).groups)])
    error_message = "rule_files has content that is not a rule file: ${join(", ", [for file, content in var.rule_files : file if !can(yamldecode(content).groups)])}; each must be YAML with a list called groups."
  }
}

variable "scrape_interval" {
  description = "How often targets are scraped unless their job says otherwise, as a Prometheus duration."
  type        = string
  default     = "10s"
  nullable    = false

  validation {
    condition     = can(regex(local.duration, var.scrape_interval))
    error_message = "scrape_interval is \"${var.scrape_interval}\", which is not a valid duration; write for example \"10s\" or \"1m30s\"."
  }
}

variable "scrape_jobs" {
  description = <<-EOT
    What is scraped. The key is the job's name. Targets come from any mix of
      targets  static addresses, each with its labels
      dns      names resolved again and again (A and AAAA need a port, SRV brings its own)
      docker   containers of an engine, by filters; unix:// needs docker_socket
      files    files below targets_directory, read again when they change
    Secrets are never values here: password_file, credentials_file and the tls files name files
    below secrets_directory. native_histograms asks for both forms, native and classic.
    The server scrapes itself as job "prometheus".
  EOT
  type = map(object({
    authorization = optional(object({
      credentials_file = string
      type             = optional(string, "Bearer")
    }))
    basic_auth = optional(object({
      password_file = string
      username      = string
    }))
    dns = optional(list(object({
      names            = list(string)
      port             = optional(number)
      refresh_interval = optional(string, "30s")
      type             = optional(string, "A")
    })), [])
    docker = optional(list(object({
      filters          = optional(map(list(string)), {})
      host             = optional(string, "unix:///var/run/docker.sock")
      port             = optional(number, 80)
      refresh_interval = optional(string, "30s")
    })), [])
    files = optional(list(object({
      names            = list(string)
      refresh_interval = optional(string, "5m")
    })), [])
    honor_labels = optional(bool, false)
    interval     = optional(string)
    metric_relabelings = optional(list(object({
      action        = optional(string, "replace")
      modulus       = optional(number)
      regex         = optional(string)
      replacement   = optional(string)
      separator     = optional(string)
      source_labels = optional(list(string))
      target_label  = optional(string)
    })), [])
    native_histograms = optional(bool, false)
    parameters        = optional(map(list(string)), {})
    path              = optional(string, "/metrics")
    relabelings = optional(list(object({
      action        = optional(string, "replace")
      modulus       = optional(number)
      regex         = optional(string)
      replacement   = optional(string)
      separator     = optional(string)
      source_labels = optional(list(string))
      target_label  = optional(string)
    })), [])
    sample_limit = optional(number)
    scheme       = optional(string, "http")
    targets = optional(list(object({
      address = string
      labels  = optional(map(string), {})
    })), [])
    timeout = optional(string)
    tls = optional(object({
      ca_file              = optional(string)
      cert_file            = optional(string)
      insecure_skip_verify = optional(bool, false)
      key_file             = optional(string)
      server_name          = optional(string)
    }))
  }))
  default  = {}
  nullable = false

  validation {
    condition     = !contains(keys(var.scrape_jobs), "prometheus")
    error_message = "scrape_jobs has a job \"prometheus\", which the module adds itself; choose another name."
  }

  validation {
    condition     = alltrue([for job in values(var.scrape_jobs) : length(job.targets) + length(job.dns) + length(job.docker) + length(job.files) > 0])
    error_message = "scrape_jobs has jobs without anything to scrape: ${join(", ", [for name, job in var.scrape_jobs : name if length(job.targets) + length(job.dns) + length(job.docker) + length(job.files) == 0])}; give targets, dns, docker or files."
  }

  validation {
    condition = alltrue(flatten([for job in values(var.scrape_jobs) : [
      for value in concat([job.interval, job.timeout], job.dns[*].refresh_interval, job.docker[*].refresh_interval, job.files[*].refresh_interval) : value == null || can(regex(local.duration, value))
    ]]))
    error_message = "scrape_jobs has intervals or timeouts that are not valid durations: ${join(", ", flatten([for name, job in var.scrape_jobs : [
      for value in concat([job.interval, job.timeout], job.dns[*].refresh_interval, job.docker[*].refresh_interval, job.files[*].refresh_interval) : "${name} (\"${value}\")" if value != null && !can(regex(local.duration, value))
    ]]))}; write for example \"10s\" or \"1m30s\"."
  }

  validation {
    condition     = alltrue(flatten([for job in values(var.scrape_jobs) : [for target in job.targets : can(regex("^[^/\\s]+$", target.address))]]))
    error_message = "scrape_jobs has addresses that are not host:port: ${join(", ", flatten([for name, job in var.scrape_jobs : [for target in job.targets : "${name}: \"${target.address}\"" if !can(regex("^[^/\\s]+$", target.address))]]))}; the scheme and the path have fields of their own."
  }

  validation {
    condition     = alltrue(flatten([for job in values(var.scrape_jobs) : [for target in job.targets : [for label in keys(target.labels) : can(regex(local.label, label))]]]))
    error_message = "scrape_jobs has targets with names that are not valid label names: ${join(", ", flatten([for name, job in var.scrape_jobs : [for target in job.targets : [for label in keys(target.labels) : "${name}: \"${label}\"" if !can(regex(local.label, label))]]]))}; use letters, digits and underscores, no digit first."
  }

  validation {
    condition     = alltrue([for job in values(var.scrape_jobs) : contains(["http", "https"], job.scheme)])
    error_message = "scrape_jobs has schemes that are neither http nor https: ${join(", ", [for name, job in var.scrape_jobs : "${name} (\"${job.scheme}\")" if !contains(["http", "https"], job.scheme)])}."
  }

  validation {
    condition     = alltrue([for job in values(var.scrape_jobs) : startswith(job.path, "/")])
    error_message = "scrape_jobs has paths that do not begin with a slash: ${join(", ", [for name, job in var.scrape_jobs : "${name} (\"${job.path}\")" if !startswith(job.path, "/")])}; write for example \"/metrics\"."
  }

  validation {
    condition     = alltrue([for job in values(var.scrape_jobs) : job.authorization == null || job.basic_auth == null])
    error_message = "scrape_jobs has jobs with both authorization and basic_auth: ${join(", ", [for name, job in var.scrape_jobs : name if job.authorization != null && job.basic_auth != null])}; a request carries only one, so remove the other."
  }

  validation {
    condition     = alltrue(flatten([for job in values(var.scrape_jobs) : [for dns in job.dns : contains(["A", "AAAA", "MX", "NS", "SRV"], dns.type) && (dns.type == "SRV" || dns.port != null)]]))
    error_message = "scrape_jobs has dns entries without a usable type and port: ${join(", ", flatten([for name, job in var.scrape_jobs : [for dns in job.dns : "${name} (${dns.type})" if !(contains(["A", "AAAA", "MX", "NS", "SRV"], dns.type) && (dns.type == "SRV" || dns.port != null))]]))}; types are A, AAAA, MX, NS and SRV, and all but SRV need a port."
  }

  validation {
    condition     = alltrue(flatten([for job in values(var.scrape_jobs) : [for docker in job.docker : !startswith(docker.host, "unix://") || var.docker_socket != null]]))
    error_message = "scrape_jobs has Docker discovery over a socket that is not mounted: ${join(", ", [for name, job in var.scrape_jobs : name if anytrue([for docker in job.docker : startswith(docker.host, "unix://")])])}; set docker_socket, or give a host like \"tcp://socket-proxy:2375\"."
  }

  validation {
    condition = alltrue(flatten([for job in values(var.scrape_jobs) : [
      for file in flatten([for discovery in job.files : discovery.names]) : can(regex("^[A-Za-z0-9_*][A-Za-z0-9_.*/-]*\\.(json|ya?ml)$", file)) && !strcontains(file, "..")
    ]]))
    error_message = "scrape_jobs has discovery files that are not JSON or YAML below targets_directory: ${join(", ", flatten([for name, job in var.scrape_jobs : [
      for file in flatten([for discovery in job.files : discovery.names]) : "${name}: \"${file}\"" if !(can(regex("^[A-Za-z0-9_*][A-Za-z0-9_.*/-]*\\.(json|ya?ml)$", file)) && !strcontains(file, ".."))
    ]]))}; give paths relative to it, for example \"mysql/*.json\"."
  }

  validation {
    condition     = var.targets_directory != null || alltrue([for job in values(var.scrape_jobs) : length(job.files) == 0])
    error_message = "scrape_jobs discovers targets in files but targets_directory is null: ${join(", ", [for name, job in var.scrape_jobs : name if length(job.files) > 0])}; name the directory on the host that holds them."
  }

  validation {
    condition = alltrue(flatten([for job in values(var.scrape_jobs) : [
      for file in compact([try(job.authorization.credentials_file, null), try(job.basic_auth.password_file, null), try(job.tls.ca_file, null), try(job.tls.cert_file, null), try(job.tls.key_file, null)]) : can(regex("^[A-Za-z0-9_][A-Za-z0-9_./-]*$", file)) && !strcontains(file, "..")
    ]]))
    error_message = "scrape_jobs has secret files that are not below secrets_directory: ${join(", ", flatten([for name, job in var.scrape_jobs : [
      for file in compact([try(job.authorization.credentials_file, null), try(job.basic_auth.password_file, null), try(job.tls.ca_file, null), try(job.tls.cert_file, null), try(job.tls.key_file, null)]) : "${name}: \"${file}\"" if !(can(regex("^[A-Za-z0-9_][A-Za-z0-9_./-]*$", file)) && !strcontains(file, ".."))
    ]]))}; give paths relative to it, for example \"mysql/password\"."
  }

  validation {
    condition = var.secrets_directory != null || alltrue([for job in values(var.scrape_jobs) :
      length(compact([try(job.authorization.credentials_file, null), try(job.basic_auth.password_file, null), try(job.tls.ca_file, null), try(job.tls.cert_file, null), try(job.tls.key_file, null)])) == 0
    ])
    error_message = "scrape_jobs reads secrets from files but secrets_directory is null: ${join(", ", [for name, job in var.scrape_jobs : name if length(compact([try(job.authorization.credentials_file, null), try(job.basic_auth.password_file, null), try(job.tls.ca_file, null), try(job.tls.cert_file, null), try(job.tls.key_file, null)])) > 0])}; name the directory on the host that holds them."
  }
}

variable "secrets_directory" {
  description = "Directory on the Docker host with the files that scrape_jobs name as secrets, mounted read-only. Uid 65534 must be able to read them. Prometheus reads them at each scrape, so a new password needs no apply, and none is ever in Terraform's state."
  type        = string
  default     = null

  validation {
    condition     = var.secrets_directory == null ? true : startswith(var.secrets_directory, "/")
    error_message = "secrets_directory is \"${coalesce(var.secrets_directory, "null")}\"; give an absolute path on the Docker host."
  }
}

variable "shipped_rules" {
  description = "Whether the module's own recording rules (rules/service.yaml: rate, errors and duration by job and route; rules/trends.yaml: what fills over weeks) are loaded."
  type        = bool
  default     = true
  nullable    = false
}

variable "targets_directory" {
  description = "Directory on the Docker host with the files that scrape_jobs discover targets in, mounted read-only."
  type        = string
  default     = null

  validation {
    condition     = var.targets_directory == null ? true : startswith(var.targets_directory, "/")
    error_message = "targets_directory is \"${coalesce(var.targets_directory, "null")}\"; give an absolute path on the Docker host."
  }
}

variable "wait_seconds" {
  description = "How long an apply waits for the server to be ready, in seconds. Raise it where a restart replays a large write-ahead log."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.wait_seconds >= 10 && floor(var.wait_seconds) == var.wait_seconds
    error_message = "wait_seconds is ${var.wait_seconds}; give a whole number of seconds, 10 or more."
  }
}
