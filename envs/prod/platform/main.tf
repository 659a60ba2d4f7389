# What is special about production. The picture is in stacks/platform.

locals {
  repository = "${path.root}/../../.."

  # Each server sees its own secrets only, and none where it needs none.
  secrets = {
    alertmanager = can(regex("_file\"", jsonencode(var.notification))) ? "${var.secrets_directory}/alertmanager" : null
    prometheus   = can(regex("_file\"", jsonencode(var.scrape_jobs))) ? "${var.secrets_directory}/prometheus" : null
  }
}

module "platform" {
  source = "../../../stacks/platform"

  alerting               = var.alerting
  alert_overrides        = var.alert_overrides
  console                = { external_url = var.console_url }
  delivery               = var.delivery
  grafana_admin_password = var.grafana_admin_password
  images                 = var.images
  memory_mebibytes       = merge({ grafana = 1024, prometheus = 4096 }, var.memory_mebibytes)
  ports                  = var.ports
  # A quarter, to see what a season does.
  retention         = { size = "50GB", time = "90d" }
  root_url          = var.root_url
  runbook_base_url  = var.runbook_base_url
  scrape_jobs       = var.scrape_jobs
  secrets_directory = local.secrets.prometheus
  targets_directory = var.targets_directory

  environment = {
    bind_address = var.bind_address
    docker_host  = var.docker_host
    label        = "prod"
    name         = var.name
  }

  notification = merge({
    default_target    = "team"
    routes            = [{ labels = { severity = "critical" }, target = "oncall" }]
    timing            = { group_interval = "1m", group_wait = "10s", repeat_interval = "4h" }
    secrets_directory = local.secrets.alertmanager
  }, var.notification)

  paths = {
    alert_settings = "${path.root}/../alerts.yaml"
    alerts         = "${local.repository}/alerts"
    calendar       = "${local.repository}/calendar/china.yaml"
    dashboards     = "${local.repository}/dashboards"
    runbooks       = "${local.repository}/docs/runbooks"
    slos           = "${local.repository}/slos/rules"
  }

  relay = {
    config            = file("${path.root}/relay.yaml")
    secrets_directory = "${var.secrets_directory}/relay"
  }
}
