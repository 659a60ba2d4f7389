# The containers of staging, in the order in which data flows through them. What its Grafana holds is
# the other root module, ../content.

locals {
  network = { id = docker_network.lookout.id, name = docker_network.lookout.name }
}

resource "docker_network" "lookout" {
  name = var.name

  labels {
    label = "lookout.environment"
    value = var.name
  }
}

# The metric.
module "exporter" {
  source = "../../../modules/exporter"

  image            = var.images.exporter
  memory_mebibytes = var.memory_mebibytes.exporter
  name             = var.name
  network          = local.network
  publish          = { ip = var.bind_address, port = var.ports.exporter }
}

# The scrape.
module "prometheus" {
  source = "../../../modules/prometheus"

  evaluation_interval = var.scrape_interval
  external_labels     = { env = "staging" }
  image               = var.images.prometheus
  memory_mebibytes    = var.memory_mebibytes.prometheus
  name                = var.name
  network             = local.network
  publish             = { ip = var.bind_address, port = var.ports.prometheus }
  # Another host's port is not Terraform's to reach; there the server watches its files itself.
  reload            = var.docker_host == null ? "http" : "watch"
  retention         = var.retention
  scrape_interval   = var.scrape_interval
  secrets_directory = var.secrets_directory
  targets_directory = var.targets_directory

  # A job of the same name among the further ones takes the place of one of these.
  scrape_jobs = merge({
    go    = { native_histograms = true, targets = [module.exporter.target] }
    relay = { targets = [module.relay.target] }
  }, var.scrape_jobs)
}

# Dashboards and rules, which ../content puts into it.
module "grafana" {
  source = "../../../modules/grafana"

  admin_password   = var.grafana_admin_password
  image            = var.images.grafana
  memory_mebibytes = var.memory_mebibytes.grafana
  name             = var.name
  network          = local.network
  publish          = { ip = var.bind_address, port = var.ports.grafana }
  root_url         = var.root_url
  time_zone        = var.time_zone
}

# The delivery: keeps what Grafana sends until DingTalk, or the next channel, has taken it.
module "relay" {
  source = "../../../modules/relay"

  config            = file("${path.root}/relay.yaml")
  image             = var.images.relay
  memory_mebibytes  = var.memory_mebibytes.relay
  name              = var.name
  network           = local.network
  publish           = { ip = var.bind_address, port = var.ports.relay }
  secrets_directory = var.relay_secrets_directory
}
