# What is special about staging. The picture is in stacks/platform.

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
  memory_mebibytes       = merge({ grafana = 768, prometheus = 1024 }, var.memory_mebibytes)
  ports                  = var.ports
  # Two weeks: one release cycle to compare with.
  retention         = { size = "10GB", time = "15d" }
  root_url          = var.root_url
  runbook_base_url  = var.runbook_base_url
  scrape_jobs       = var.scrape_jobs
  secrets_directory = local.secrets.prometheus
  targets_directory = var.targets_directory

  environment = {
    bind_address = var.bind_address
    docker_host  = var.docker_host
    label        = "staging"
    name         = var.name
  }

  notification = merge({
    default_target    = "team"
    timing            = { group_interval = "1m", group_wait = "30s", repeat_interval = "12h" }
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
