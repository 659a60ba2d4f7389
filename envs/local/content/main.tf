# What Grafana holds in local: its values; the flow is in stacks/content.

locals {
  robots = ["ops"]

  # Whatever robots are set, this one is there.
  watch = try(var.about_delivery.robot, null) == "watch" ? { watch = "http://robot:8060/robot/send?access_token=lookout" } : {}
}

module "content" {
  source = "../../../stacks/content"

  environment      = "local"
  repository       = "${path.root}/../../.."
  alerting         = var.alerting
  alert_settings   = "${path.root}/../alerts.yaml"
  runbook_base_url = var.runbook_base_url
  grafana_version  = var.grafana_version

  prometheus = {
    scrape_interval = "2s"
    url             = "http://prometheus:9090"
  }

  delivery = {
    mode               = var.delivery
    heartbeat_interval = var.heartbeat_interval
    relay_url          = "http://relay:8070"
    robots             = local.robots
    plain_http_hosts   = ["robot"]
  }
  about_delivery = var.about_delivery
  robot_webhooks = merge(local.watch, var.robot_webhooks)
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
