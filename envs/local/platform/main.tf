# What is special about local: the sample service with its knobs, a mock in DingTalk's place, generated secrets, and
# everything in seconds, so that an alert can be watched arriving within a minute. The picture is in stacks/platform.

locals {
  # Both sides of a robot's secrets: what the relay sends, and what the mock of DingTalk wants.
  relay_secrets = coalesce(var.relay_secrets_directory, abspath("${path.root}/secrets"))
  repository    = "${path.root}/../../.."
  # What the samples and their exporters have in common.
  source_secrets = coalesce(var.source_secrets_directory, abspath("${path.root}/../secrets"))
}

module "platform" {
  source = "../../../stacks/platform"

  alerting               = var.alerting
  alert_overrides        = var.alert_overrides
  console                = { drill_series = "any", external_url = var.console_url }
  delivery               = var.delivery
  exporter               = { enable_faults = true, self_traffic = var.self_traffic }
  grafana_admin_password = var.grafana_admin_password
  images                 = var.images
  memory_mebibytes       = merge({ grafana = 512, prometheus = 512 }, var.memory_mebibytes)
  ports                  = var.ports
  prometheus_admin_api   = true
  retention              = var.retention
  robot                  = true
  root_url               = var.root_url
  runbook_base_url       = var.runbook_base_url
  sample_servers         = true
  scrape_interval        = var.scrape_interval
  scrape_jobs            = var.scrape_jobs
  secrets_directory      = var.secrets_directory
  source_settings        = var.source_settings
  sources                = var.sources
  targets_directory      = var.targets_directory

  docker_socket            = { group_id = var.docker_socket_group }
  source_secrets_directory = local.source_secrets

  environment = {
    bind_address = var.bind_address
    docker_host  = var.docker_host
    label        = "local"
    name         = var.name
    time_zone    = var.time_zone
  }

  notification = merge({
    # The mock takes any token for this robot; it stands in the documentation and opens nothing else.
    about_delivery     = { robot_url = "http://robot:8060/robot/send?access_token=lookout" }
    default_target     = "ops"
    heartbeat_interval = "10s"
    # The shortest that still groups; elsewhere a minute and hours.
    timing = { group_interval = "10s", group_wait = "1s", repeat_interval = "4h" }
  }, var.notification)

  paths = {
    alert_settings = "${path.root}/../alerts.yaml"
    alerts         = "${local.repository}/alerts"
    # A small demo evaluates no rules about servers that it does not have.
    alerts_left_out = [for source in ["batch", "host", "jvm", "memcached", "mysql", "postgres", "probe", "redis"] : "${source}.yaml" if !contains(var.sources, source)]
    calendar        = "${local.repository}/calendar/china.yaml"
    dashboards      = "${local.repository}/dashboards"
    runbooks        = "${local.repository}/docs/runbooks"
    slos            = "${local.repository}/slos/rules"
  }

  relay = {
    config            = file("${path.root}/relay.yaml")
    secrets_directory = local.relay_secrets
  }
}
