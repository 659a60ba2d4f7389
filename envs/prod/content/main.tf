# What Grafana holds in prod: its values; the flow is in stacks/content.

locals {
  robots = ["oncall", "team"]
}

module "content" {
  source = "../../../stacks/content"

  environment      = "prod"
  repository       = "${path.root}/../../.."
  alerting         = var.alerting
  alert_settings   = "${path.root}/../alerts.yaml"
  runbook_base_url = var.runbook_base_url
  grafana_version  = var.grafana_version

  prometheus = {
    scrape_interval = "10s"
    url             = "http://prometheus:9090"
  }

  delivery = {
    mode               = var.delivery
    heartbeat_interval = var.heartbeat_interval
    relay_url          = "http://relay:8070"
    robots             = local.robots
    default_robot      = "team"
    routes = [
      { labels = { severity = "critical" }, robot = "oncall" },
    ]
  }
  about_delivery = var.about_delivery
  robot_webhooks = var.robot_webhooks
  timing         = var.timing
}

# From the time when each environment held the flow itself.
moved {
  from = module.datasource
  to   = module.content.module.datasource
}

moved {
  from = module.dashboards
  to   = module.content.module.dashboards
}

moved {
  from = module.alert_rules
  to   = module.content.module.alert_rules[0]
}

moved {
  from = module.dingtalk
  to   = module.content.module.dingtalk[0]
}
