# Lookout's content in a Grafana that is already there, Grafana Cloud too, and nothing else: no Docker, no containers.
#
#   export GRAFANA_URL=https://grafana.example.com GRAFANA_AUTH=<token of a service account>
#   terraform init && terraform apply

module "alerts" {
  source = "../../modules/alerts"

  path            = "${path.root}/../../alerts"
  dashboards_path = "${path.root}/../../dashboards"
  environment     = var.environment
  # It is for the relay; without one it would reach people.
  overrides = { Watchdog = { paused = true } }
}

module "datasource" {
  source = "../../modules/datasource"

  url = var.prometheus_url
  # Its own default stays what it is.
  is_default = false
  name       = "Lookout"
  uid        = "lookout"
}

module "dashboards" {
  source = "../../modules/dashboards"

  path       = "${path.root}/../../dashboards"
  datasource = module.datasource.prometheus
  thresholds = module.alerts.alerts.panel_thresholds
  folder_titles = {
    go         = "Lookout: Go"
    monitoring = "Lookout: Monitoring"
  }
}

module "alert_rules" {
  source = "../../modules/alert-rules"

  alerts          = module.alerts.alerts
  datasource      = module.datasource.prometheus
  folder          = { title = "Lookout: Alerts" }
  grafana_version = var.grafana_version

  # From 10.4 rules can name their contact point, and the notification policy, which belongs to someone else here, is
  # not touched.
  contact_point = local.own_policy ? null : module.dingtalk.contact_points["lookout"]
}

module "dingtalk" {
  source = "../../modules/dingtalk"

  environment      = var.environment
  rules            = module.alerts.alerts.rules
  own_policy       = local.own_policy
  robots           = ["lookout"]
  webhooks         = { lookout = var.robot_webhook }
  plain_http_hosts = var.plain_http_hosts
}

locals {
  own_policy = tonumber(regex("^[0-9]+", var.grafana_version)) * 100 + tonumber(regex("^[0-9]+[.]([0-9]+)", var.grafana_version)[0]) < 1004
}
