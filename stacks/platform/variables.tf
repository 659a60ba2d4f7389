variable "alert_overrides" {
  description = "What differs from the rule files and from paths.alert_settings, by alert, as modules/alerts takes it."
  type        = any
  default     = {}
  nullable    = false
}

variable "alerting" {
  description = "Who evaluates alert rules: \"prometheus\" (rule files, Alertmanager) or \"grafana\" (Grafana-managed rules). Null: \"grafana\" where the environment has one, else \"prometheus\"."
  type        = string
  default     = null

  validation {
    condition     = var.alerting == null || contains(["grafana", "prometheus"], coalesce(var.alerting, "-"))
    error_message = "alerting is \"${coalesce(var.alerting, "null")}\", which is not a known engine; use \"prometheus\" or \"grafana\"."
  }
}

variable "console" {
  description = "The console: which series a drill may write into it (drill_series of modules/console); its address for people (null: the port on this machine); and for a port beyond loopback the directory on the Docker host with its web configuration file, certificate and key."
  type = object({
    drill_series      = optional(string, "probe")
    external_url      = optional(string)
    secrets_directory = optional(string)
    web_config_file   = optional(string)
  })
  default  = {}
  nullable = false
}

variable "delivery" {
  description = "\"relay\": by way of Lookout's relay; \"native\": Grafana's own DingDing contact point, without a relay. `make` hands on what the content root says."
  type        = string
  default     = "relay"
  nullable    = false

  validation {
    condition     = contains(["native", "relay"], var.delivery)
    error_message = "delivery is \"${var.delivery}\"; use \"relay\" or \"native\"."
  }

  validation {
    condition     = var.delivery != "native" || coalesce(var.alerting, var.images.grafana != null ? "grafana" : "prometheus") == "grafana"
    error_message = "delivery is \"native\", but Prometheus evaluates the alerts here: Alertmanager sends by way of the relay. Use \"relay\", or alerting = \"grafana\"."
  }
}

variable "docker_socket" {
  description = "The engine's socket and the numeric group that may use it, for the source \"discovery\"."
  type = object({
    group_id = number
    path     = optional(string, "/var/run/docker.sock")
  })
  default = null

  validation {
    condition     = !contains(var.sources, "discovery") || var.docker_socket != null
    error_message = "sources has \"discovery\", but docker_socket is null; set docker_socket = { group_id = … }, the number that `stat -c %g /var/run/docker.sock` prints on the Docker host."
  }
}

variable "environment" {
  description = "What all of the environment shares: name, the prefix of everything that is created; label, carried by every alert as lookout_env and by every series that leaves as env; the address on which ports are published; the Docker host (null: this machine, or DOCKER_HOST); and the zone in which people read times."
  type = object({
    bind_address = optional(string, "127.0.0.1")
    docker_host  = optional(string)
    label        = string
    name         = string
    time_zone    = optional(string, "Asia/Shanghai")
  })
  nullable = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9_.-]{0,40}$", var.environment.name))
    error_message = "name is \"${var.environment.name}\"; use at most 41 lower-case letters, digits, dots, dashes and underscores, beginning with a letter or digit."
  }

  validation {
    condition     = can(cidrhost("${var.environment.bind_address}/32", 0)) || can(cidrhost("${var.environment.bind_address}/128", 0))
    error_message = "bind_address is \"${var.environment.bind_address}\", which is not an IP address; use \"127.0.0.1\" for this machine only."
  }

  validation {
    condition     = can(regex("^(UTC|[A-Za-z_]+(/[A-Za-z0-9_+-]+){1,2})$", var.environment.time_zone))
    error_message = "time_zone is \"${var.environment.time_zone}\"; use an IANA name such as \"Asia/Shanghai\", \"Europe/Berlin\" or \"UTC\"."
  }
}

variable "exporter" {
  description = "The sample service: whether it has knobs for raising faults, and how many requests per second it sends to itself. Null: there is none."
  type = object({
    enable_faults = optional(bool, false)
    self_traffic  = optional(number, 0)
  })
  default = null
}

variable "external_grafana" {
  description = "Whether rules are evaluated by a Grafana that is not part of this stack; only then alerting may be \"grafana\" without an image of it."
  type        = bool
  default     = false
  nullable    = false
}

variable "grafana_admin_password" {
  description = "Password of Grafana's user \"admin\", at least 8 characters; null only where there is no Grafana."
  type        = string
  default     = null
  sensitive   = true

  validation {
    condition     = var.grafana_admin_password != null || var.images.grafana == null
    error_message = "grafana_admin_password is not set, but images has a Grafana; set TF_VAR_grafana_admin_password, for example to \"$(openssl rand -base64 18)\"."
  }
}

variable "images" {
  description = "Image of each container. `make init` writes images.auto.tfvars.json with what it found, pulled or built; there are no published images of Lookout's own programs. grafana is null where there is none."
  type = object({
    alertmanager = optional(string, "prom/alertmanager:v0.35.0")
    console      = optional(string)
    exporter     = optional(string)
    grafana      = optional(string)
    prometheus   = optional(string, "prom/prometheus:v3.16.0")
    relay        = optional(string)
    robot        = optional(string)
    sources      = optional(map(string), {})
  })
  nullable = false

  validation {
    condition     = var.images.console != null && var.images.relay != null && (var.images.exporter != null || var.exporter == null) && (var.images.robot != null || !var.robot)
    error_message = "images does not name every image of Lookout's own programs, of which there are no published ones; run `make init ENV=<environment>`, which builds them and writes images.auto.tfvars.json."
  }

  validation {
    condition     = coalesce(var.alerting, "prometheus") != "grafana" || var.images.grafana != null || var.external_grafana
    error_message = "alerting is \"grafana\", but this environment has no Grafana; give it an image (GRAFANA_IMAGE=… make up), or use \"prometheus\"."
  }
}

variable "memory_mebibytes" {
  description = "Memory limit of each container in MiB, swap included."
  type = object({
    alertmanager = optional(number, 128)
    console      = optional(number, 128)
    exporter     = optional(number, 256)
    grafana      = optional(number, 768)
    prometheus   = optional(number, 1024)
    relay        = optional(number, 128)
  })
  default  = {}
  nullable = false
}

variable "notification" {
  description = <<-EOT
    What becomes of alerts that Prometheus fires; with alerting = "grafana" the content root says that instead.
      default_target      target of relay.yaml that gets what no route sends elsewhere
      routes              what goes to another target, as modules/alertmanager takes them
      mute_intervals      named times that routes refer to
      inhibitions         further rules about what holds back what
      about_delivery      who hears, on a path that bypasses the relay, that the relay is down
      email               SMTP server for that
      relay_token_file    file with the token that the relay wants, if its configuration has a bearer_token_file
      secrets_directory   directory on the Docker host with the files that these name
      heartbeat_interval  how often the relay is shown that the chain works
      timing              group_wait, group_interval, repeat_interval
      cluster             other Alertmanagers that decide together who notifies
  EOT
  type = object({
    about_delivery     = optional(any, {})
    cluster            = optional(any)
    default_target     = string
    email              = optional(any)
    heartbeat_interval = optional(string, "1m")
    inhibitions        = optional(any, [])
    mute_intervals     = optional(any, {})
    relay_token_file   = optional(string)
    routes             = optional(any, [])
    secrets_directory  = optional(string)
    timing             = optional(any, {})
  })
  nullable = false
}

variable "paths" {
  description = "Directories of the rule files, the dashboards, the runbooks, the recording rules of service level objectives (slos), and the calendar whose nights, working hours and holidays routes may name; and the environment's alerts.yaml, which says what differs from the rule files and which the content root reads too. alerts_left_out names rule files that Prometheus is not given, such as \"redis.yaml\"."
  type = object({
    alert_settings  = optional(string)
    alerts          = string
    alerts_left_out = optional(list(string), [])
    calendar        = optional(string)
    dashboards      = string
    runbooks        = optional(string)
    slos            = optional(string)
  })
  nullable = false
}

variable "ports" {
  description = "Port of each service on the host. Every environment has its own, so that they can run side by side on one machine."
  type = object({
    alertmanager = optional(number, 9093)
    console      = optional(number, 8090)
    exporter     = optional(number, 9100)
    grafana      = optional(number, 3001)
    prometheus   = optional(number, 9090)
    relay        = optional(number, 8070)
    robot        = optional(number, 8060)
  })
  default  = {}
  nullable = false

  validation {
    condition     = length(distinct(values(var.ports))) == length(values(var.ports))
    error_message = "ports gives one port to two services: ${jsonencode(var.ports)}; give each its own."
  }
}

variable "prometheus_admin_api" {
  description = "Whether `make backup` may ask Prometheus for a snapshot; see modules/prometheus, admin_api. Without it Prometheus stands still while its data is copied."
  type        = bool
  default     = false
  nullable    = false
}

variable "relay" {
  description = "The relay's configuration as YAML, and the directory on the Docker host with the files that it names below /secrets."
  type = object({
    config            = string
    secrets_directory = string
  })
  nullable = false
}

variable "retention" {
  description = "How long and how much Prometheus keeps."
  type = object({
    size = optional(string)
    time = optional(string, "15d")
  })
  default  = {}
  nullable = false
}

variable "robot" {
  description = "Whether there is a mock of DingTalk's robot; never where messages are meant for people."
  type        = bool
  default     = false
  nullable    = false
}

variable "root_url" {
  description = "Address under which people reach Grafana, the base of its links; null: its port on this machine."
  type        = string
  default     = null
}

variable "runbook_base_url" {
  description = "What runbook paths in the rule files are relative to, for example the repository's address up to the branch. Null: the console shows them."
  type        = string
  default     = null
}

variable "sample_servers" {
  description = "Whether sources without a server of their own watch a small sample, which is for trying things on."
  type        = bool
  default     = false
  nullable    = false
}

variable "scrape_interval" {
  description = "How often targets are scraped and recording rules evaluated."
  type        = string
  default     = "10s"
  nullable    = false
}

variable "scrape_jobs" {
  description = "Scrape jobs next to those of the stack itself, as modules/prometheus takes them."
  type        = any
  default     = {}
  nullable    = false
}

variable "secrets_directory" {
  description = "Directory on the Docker host with passwords and certificates that scrape_jobs name; see modules/prometheus."
  type        = string
  default     = null
}

variable "source_secrets_directory" {
  description = "Directory on the Docker host with a folder for each of the sources mysql, postgres and redis, which holds the credentials of their exporters: see these modules. They are mounted, and never in Terraform's state."
  type        = string
  default     = null
}

variable "source_settings" {
  description = "Where the servers are that `sources` watch: address as the exporter sees it, the label instance, and for probe and jvm the targets by instance. Without an address, or targets, a sample is watched where sample_servers is set."
  type = object({
    host      = optional(object({ instance = optional(string, "host1") }), {})
    jvm       = optional(object({ targets = optional(map(string), {}) }), {})
    memcached = optional(object({ address = optional(string), instance = optional(string, "memcached1") }), {})
    mysql     = optional(object({ address = optional(string), instance = optional(string, "mysql1") }), {})
    postgres  = optional(object({ address = optional(string), instance = optional(string, "postgres1"), ssl_mode = optional(string) }), {})
    probe     = optional(object({ targets = optional(map(string), {}) }), {})
    redis     = optional(object({ address = optional(string), instance = optional(string, "redis1") }), {})
  })
  default  = {}
  nullable = false
}

variable "sources" {
  description = "What is watched besides the stack itself: any of batch, discovery, host, jvm, memcached, mysql, postgres, probe, redis."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(setsubtract(var.sources, ["batch", "discovery", "host", "jvm", "memcached", "mysql", "postgres", "probe", "redis"])) == 0
    error_message = "sources has ${join(", ", setsubtract(var.sources, ["batch", "discovery", "host", "jvm", "memcached", "mysql", "postgres", "probe", "redis"]))}; known are batch, discovery, host, jvm, memcached, mysql, postgres, probe and redis."
  }

  validation {
    condition     = var.sample_servers || alltrue([for source in var.sources : !contains(["jvm", "probe"], source) || length(try(var.source_settings[source].targets, {})) > 0]) && alltrue([for source in var.sources : !contains(["memcached", "mysql", "postgres", "redis"], source) || try(var.source_settings[source].address, null) != null])
    error_message = "sources has some of which source_settings does not say where they are: set source_settings = { <source> = { address = \"host:port\" } }, for jvm and probe targets = { <instance> = \"…\" }."
  }
}

variable "targets_directory" {
  description = "Directory on the Docker host with files that scrape_jobs discover targets in; see modules/prometheus."
  type        = string
  default     = null
}
