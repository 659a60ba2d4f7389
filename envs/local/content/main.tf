# scrape ─▶ datasource ─▶ dashboard
#              └──────▶ rule ─▶ contact point ─▶ message

locals {
  # Without a relay nobody waits for it, and it would reach people.
  paused = var.delivery == "native" ? ["Watchdog"] : []

  # Whatever robots are set, this one is there.
  watch = try(var.about_delivery.robot, null) == "watch" ? { watch = "http://robot:8060/robot/send?access_token=lookout" } : {}
}

module "datasource" {
  source = "../../../modules/datasource"

  url             = var.prometheus_url
  scrape_interval = var.scrape_interval
}

module "dashboards" {
  source = "../../../modules/dashboards"

  path       = "${path.root}/../../../dashboards"
  datasource = module.datasource.prometheus
  # The one arrow against the stream: a threshold that differs here moves the red line on its panel. Both sides read it
  # from files and variables, so nothing waits in a circle.
  thresholds = module.alert_rules.panel_thresholds
}

module "alert_rules" {
  source = "../../../modules/alert-rules"

  path             = "${path.root}/../../../alerts"
  environment      = var.environment
  datasource       = module.datasource.prometheus
  dashboards       = module.dashboards.dashboards
  grafana_version  = var.grafana_version
  intervals        = var.rule_intervals
  overrides        = merge(var.rule_overrides, { for alert in local.paused : alert => { paused = true } })
  runbook_base_url = var.runbook_base_url
}

module "dingtalk" {
  source = "../../../modules/dingtalk"

  environment      = var.environment
  rules            = module.alert_rules.rules
  about_delivery   = var.about_delivery
  delivery         = var.delivery
  robots           = var.robots
  default_robot    = var.default_robot
  routes           = var.routes
  webhooks         = merge(local.watch, var.robot_webhooks)
  plain_http_hosts = var.plain_http_hosts
  relay_url        = var.relay_url
  heartbeat        = var.delivery == "relay" ? { interval = var.heartbeat_interval } : null
  email            = var.email
  timing           = var.timing

  # Grafana makes its key of the day when it first has something to encrypt. Two that ask for it at once
  # lock its SQLite against each other for half a minute, and the provider crashes on the answer.
  depends_on = [module.datasource]
}
