# The containers of an environment, in the order in which data flows through them. What its Grafana holds is the other stack,
# ../content.
#
#   exporter ─▶ prometheus ─▶ alertmanager ─▶ relay ─▶ robot
#                    └──────▶ console         ▲
#                    └──────▶ grafana ────────┘

locals {
  has_grafana = var.images.grafana != null
  alerting    = coalesce(var.alerting, local.has_grafana ? "grafana" : "prometheus")
  prometheus  = local.alerting == "prometheus"
  relayed     = var.delivery == "relay"
  # Another host's ports are not Terraform's to reach.
  remote = var.environment.docker_host != null

  environment = {
    name    = var.environment.name
    network = { id = docker_network.lookout.id, name = docker_network.lookout.name }
    stack   = terraform_data.identity.id
  }

  publish = { for service, port in var.ports : service => { ip = var.environment.bind_address, port = port } }
}

# What distinguishes this stack's containers from another's of the same name.
resource "terraform_data" "identity" {
  depends_on = [terraform_data.free_port]
}

resource "docker_network" "lookout" {
  name = var.environment.name

  labels {
    label = "lookout.environment"
    value = var.environment.name
  }

  labels {
    label = "lookout.stack"
    value = terraform_data.identity.id
  }

  lifecycle {
    # A label that was added later must not detach the containers from their network.
    ignore_changes = [labels]
  }
}

# The metric: a sample service, for trying things on.
module "exporter" {
  source = "../../modules/exporter"
  count  = var.exporter == null ? 0 : 1

  enable_faults    = var.exporter.enable_faults
  environment      = local.environment
  image            = var.images.exporter
  memory_mebibytes = var.memory_mebibytes.exporter
  publish          = local.publish.exporter
  self_traffic     = var.exporter.self_traffic
}

# The rules, resolved for this environment. No resource: both engines get the same.
module "alerts" {
  source = "../../modules/alerts"

  console_url      = module.console.external_url
  dashboards_path  = var.paths.dashboards
  environment      = var.environment.label
  left_out         = var.paths.alerts_left_out
  overrides        = var.alert_overrides
  path             = var.paths.alerts
  settings         = var.paths.alert_settings
  runbook_base_url = var.runbook_base_url
}

# The scrape, and the evaluation of rules where Grafana doesn't do that.
module "prometheus" {
  source = "../../modules/prometheus"

  admin_api           = var.prometheus_admin_api
  alertmanagers       = local.prometheus ? [module.alertmanager[0].address] : []
  environment         = local.environment
  evaluation_interval = var.scrape_interval
  external_labels     = { env = var.environment.label }
  external_url        = module.console.external_url
  image               = var.images.prometheus
  memory_mebibytes    = var.memory_mebibytes.prometheus
  publish             = local.publish.prometheus
  reload              = local.remote ? "watch" : "http"
  retention           = var.retention
  # What records how fast error budgets burn is asked by alerts of either engine.
  rule_files = merge(
    local.prometheus ? module.alerts.alerts.rule_files : {},
    { for file in var.paths.slos == null ? [] : fileset(var.paths.slos, "*.yaml") : "recorded-slo-${file}" => file("${var.paths.slos}/${file}") if !endswith(file, ".test.yaml") },
  )
  scrape_interval   = var.scrape_interval
  secrets_directory = var.secrets_directory
  targets_directory = var.targets_directory

  # A job of the same name among the further ones takes the place of one of these. Each output is named by itself: a splat
  # stands for the whole module, and Prometheus would be started once all of that is healthy.
  scrape_jobs = merge(
    { for job, targets in {
      alertmanager = local.prometheus ? [module.alertmanager[0].target] : []
      console      = [module.console.target]
      grafana      = local.has_grafana ? [module.grafana[0].target] : []
      relay        = local.relayed ? [module.relay[0].target] : []
    } : job => { targets = targets } if length(targets) > 0 },
    # What a drill writes says by itself what it is about. Empty while there is none.
    var.console.drill_series == "off" ? {} : { drill = { honor_labels = true, path = "/drill/metrics", sample_limit = 5000, targets = [module.console.target] } },
    var.exporter == null ? {} : { go = { native_histograms = true, targets = [module.exporter[0].target] } },
    { for job, settings in local.source_jobs : job => settings if length(module.sources[*].containers) >= 0 },
    var.scrape_jobs,
  )
}

# Nights, working hours and holidays, which routes name.
module "calendar" {
  source = "../../modules/calendar"
  count  = var.paths.calendar == null ? 0 : 1

  path = var.paths.calendar
}

# The notification: groups, silences, inhibits and routes what Prometheus fires.
module "alertmanager" {
  source = "../../modules/alertmanager"
  count  = local.prometheus ? 1 : 0

  about_delivery    = var.notification.about_delivery
  cluster           = var.notification.cluster
  default_target    = var.notification.default_target
  email             = var.notification.email
  environment       = local.environment
  external_url      = module.console.external_url
  heartbeat         = { interval = var.notification.heartbeat_interval }
  image             = var.images.alertmanager
  inhibitions       = var.notification.inhibitions
  memory_mebibytes  = var.memory_mebibytes.alertmanager
  mute_intervals    = merge(one(module.calendar[*].intervals), var.notification.mute_intervals)
  publish           = local.publish.alertmanager
  relay_token_file  = var.notification.relay_token_file
  reload            = local.remote ? "restart" : "http"
  routes            = var.notification.routes
  secrets_directory = var.notification.secrets_directory
  targets           = keys(local.relay_targets)
  timing            = var.notification.timing
}

# Looking, wherever there is a Prometheus: dashboards, alerts, silences, targets.
module "console" {
  source = "../../modules/console"

  alertmanager_url  = local.prometheus ? "http://alertmanager:9093" : null
  dashboards        = var.paths.dashboards
  drill_series      = var.console.drill_series
  environment       = local.environment
  external_url      = var.console.external_url
  image             = var.images.console
  memory_mebibytes  = var.memory_mebibytes.console
  publish           = local.publish.console
  relay_url         = local.relayed ? "http://relay:8070" : null
  runbooks          = var.paths.runbooks
  scrape_interval   = var.scrape_interval
  secrets_directory = var.console.secrets_directory
  time_zone         = var.environment.time_zone
  web_config_file   = var.console.web_config_file
}

# Looking in Grafana, where an image of it can be had; ../content fills it.
module "grafana" {
  source = "../../modules/grafana"
  count  = local.has_grafana ? 1 : 0

  admin_password   = var.grafana_admin_password
  environment      = local.environment
  image            = var.images.grafana
  memory_mebibytes = var.memory_mebibytes.grafana
  publish          = local.publish.grafana
  root_url         = var.root_url
  time_zone        = var.environment.time_zone
}

# The delivery: keeps what arrives until the robot, or the next channel, has taken it. Where Grafana sends by itself there is none,
# which would miss its heartbeat.
module "relay" {
  source = "../../modules/relay"
  count  = local.relayed ? 1 : 0

  # Grafana's Alertmanager wants a token, whose file only the configuration can name.
  answers = {
    silences = local.prometheus ? "http://alertmanager:9093" : null
    url      = module.console.external_url
  }
  config            = var.relay.config
  environment       = local.environment
  image             = var.images.relay
  memory_mebibytes  = var.memory_mebibytes.relay
  publish           = local.publish.relay
  secrets_directory = var.relay.secrets_directory
}

moved {
  from = module.relay
  to   = module.relay[0]
}

# Where the messages end up in local: a mock of DingTalk's robot, with a page that shows them as a chat.
module "robot" {
  source = "../../modules/robot"
  count  = var.robot ? 1 : 0

  environment      = local.environment
  image            = var.images.robot
  publish          = local.publish.robot
  robots_directory = var.relay.secrets_directory
  time_zone        = var.environment.time_zone
}

locals {
  # A relay without targets has one for each robot.
  relay_config = try(yamldecode(var.relay.config), {})
  relay_targets = merge(concat(
    [for chat in ["apps", "feishu", "robots", "wecom"] : { for robot, _ in try(local.relay_config[chat], {}) : robot => null }],
    [try(local.relay_config.targets, {})],
  )...)
}
