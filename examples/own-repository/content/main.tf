# What Grafana shows: the dashboards, with a red line where each alert's threshold is.

module "alerts" {
  source = "git::https://git.example.com/lookout.git//modules/alerts?ref=main"

  path        = "${path.root}/../alerts"
  environment = "shop"
}

module "datasource" {
  source = "git::https://git.example.com/lookout.git//modules/datasource?ref=main"

  url = "http://prometheus:9090"
}

module "dashboards" {
  source = "git::https://git.example.com/lookout.git//modules/dashboards?ref=main"

  path       = "${path.root}/../dashboards"
  datasource = module.datasource.prometheus
  thresholds = module.alerts.alerts.panel_thresholds

  folder_titles = { shop = "Shop" }
}
