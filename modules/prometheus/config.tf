# A configuration reaches the server without replacing it: promtool of the same image checks it; then it is written into the
# volume that the server mounts read-only; then the server is asked to reload it, and whether it did.

locals {
  config_path = "/lookout/config"

  config = { for key, value in {
    alerting = length(var.alertmanagers) == 0 ? null : { for key, value in {
      # What distinguishes servers must not distinguish alerts: a pair of servers has to send the same ones.
      alert_relabel_configs = length(var.external_labels) == 0 ? null : [{ action = "labeldrop", regex = join("|", keys(var.external_labels)) }]
      alertmanagers         = [{ static_configs = [{ targets = var.alertmanagers }] }]
    } : key => value if value != null }
    global = { for key, value in {
      evaluation_interval = var.evaluation_interval
      external_labels     = length(var.external_labels) == 0 ? null : var.external_labels
      scrape_interval     = var.scrape_interval
    } : key => value if value != null }
    rule_files     = [for file in keys(local.rule_files) : "${local.config_path}/rules/${file}"]
    scrape_configs = concat(local.scrape_configs, [local.self_scrape_config])
    # In the file and not in flags, since flags only change with a restart.
    storage = { tsdb = { retention = { for key, value in var.retention : key => value if value != null } } }
  } : key => value if value != null }

  files = merge(
    { "prometheus.yml" = yamlencode(local.config) },
    { for file, content in local.rule_files : "rules/${file}" => content },
  )

  # The host's side of what the server and promtool both have to see: promtool refuses a
  # configuration whose credentials or certificates are not there.
  binds = { for path, host in {
    (local.secrets_path)   = var.secrets_directory
    (local.targets_path)   = var.targets_directory
    "/var/run/docker.sock" = try(var.docker_socket.path, null)
  } : path => host if host != null }
}

module "config" {
  source = "../_config_volume"

  binds = { for path, host in local.binds : path => host if path != "/var/run/docker.sock" }
  check = {
    command = ["/bin/promtool", "check", "config", "${local.config_path}/prometheus.yml"]
    refusal = "promtool refuses the configuration of"
  }
  environment      = var.environment
  files            = local.files
  image_id         = docker_image.prometheus.image_id
  image_volumes    = ["/prometheus"]
  memory_mebibytes = var.memory_mebibytes
  path             = local.config_path
  service          = "prometheus"
}

resource "terraform_data" "reload" {
  count = var.reload == "http" ? 1 : 0

  triggers_replace = [module.config.hash]

  provisioner "local-exec" {
    command = "sh '${path.module}/../_config_volume/reload.sh'"

    environment = {
      METRICS      = "prometheus_config"
      SERVER       = "Prometheus"
      SERVER_URL   = module.container.url
      WAIT_SECONDS = var.wait_seconds
    }
  }

  depends_on = [module.config, module.container]
}

moved {
  from = docker_volume.config
  to   = module.config.docker_volume.config
}

moved {
  from = docker_container.config_check
  to   = module.config.docker_container.check[0]
}

moved {
  from = docker_container.config_writer
  to   = module.config.docker_container.writer
}
