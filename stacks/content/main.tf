# What a Grafana holds in an environment. The flow is the same everywhere; envs/<env>/content gives the values.
#
#   rule files ─▶ alerts ───────────────┬──────────────▶ rules ─▶ contact points, policy ─▶ message
#                    └─▶ red lines ─▶ dashboards           │
#                             scrape ─▶ datasource ────────┘
#
# With alerting = "prometheus" rules, contact points and policy are Prometheus', Alertmanager's and the relay's: here are the
# datasource and the dashboards then, with the red lines where that environment has them.

locals {
  grafana_alerting = var.alerting == "grafana"

  # Here, since dashboards may have neither its title nor its uid.
  alerts_folder = { title = "Alerts", uid = "lookout-alerts" }

  # Without a relay no one waits for it, and it would reach people.
  paused = var.delivery.mode == "native" ? { Watchdog = { paused = true } } : {}
}

module "alerts" {
  source = "../../modules/alerts"

  path             = "${var.repository}/alerts"
  dashboards_path  = "${var.repository}/dashboards"
  environment      = var.environment
  settings         = var.alert_settings
  overrides        = local.paused
  runbook_base_url = var.runbook_base_url
}

module "datasource" {
  source = "../../modules/datasource"

  url             = var.prometheus.url
  scrape_interval = var.prometheus.scrape_interval

  # A finding in the rule files or the dashboards is the whole message: with nothing else planned, no plan stands before it.
  depends_on = [module.alerts, module.dashboards.dashboards]
}

module "dashboards" {
  source = "../../modules/dashboards"

  path       = "${var.repository}/dashboards"
  datasource = module.datasource.prometheus
  thresholds = module.alerts.alerts.panel_thresholds

  grafana_version = var.grafana_version
  other_folders   = { (local.alerts_folder.uid) = local.alerts_folder.title }
  schema_v2       = var.schema_v2
}

module "alert_rules" {
  source = "../../modules/alert-rules"
  count  = local.grafana_alerting ? 1 : 0

  alerts          = module.alerts.alerts
  datasource      = module.datasource.prometheus
  folder          = local.alerts_folder
  grafana_version = var.grafana_version

  missing_series_evaluations = var.missing_series_evaluations

  depends_on = [module.datasource]
}

module "dingtalk" {
  source = "../../modules/dingtalk"
  count  = local.grafana_alerting ? 1 : 0

  environment      = var.environment
  rules            = module.alerts.alerts.rules
  about_delivery   = var.about_delivery
  delivery         = var.delivery.mode
  robots           = var.delivery.robots
  default_robot    = var.delivery.default_robot
  routes           = var.delivery.routes
  webhooks         = var.robot_webhooks
  plain_http_hosts = var.delivery.plain_http_hosts
  relay_url        = var.delivery.relay_url
  heartbeat        = var.delivery.mode == "relay" ? { interval = var.delivery.heartbeat_interval } : null
  email            = var.delivery.email
  timing           = var.timing

  # Grafana makes its key of the day when it first has something to encrypt. Two that ask for it at once
  # lock its SQLite against each other for half a minute, and the provider crashes on the answer.
  depends_on = [module.datasource]
}
