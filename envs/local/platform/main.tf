# The containers of the local environment, in the order in which data flows through them. What its
# Grafana holds is the other root module, ../content.

locals {
  # Both sides of a robot's secrets: what the relay sends, and what the stand-in for DingTalk wants.
  relay_secrets = coalesce(var.relay_secrets_directory, abspath("${path.root}/secrets"))

  network = { id = docker_network.lookout.id, name = docker_network.lookout.name }
}

resource "docker_network" "lookout" {
  name = var.name

  labels {
    label = "lookout.environment"
    value = var.name
  }

  depends_on = [terraform_data.free_port]
}

# The metric.
module "exporter" {
  source = "../../../modules/exporter"

  enable_faults    = true
  self_traffic     = var.self_traffic
  image            = var.images.exporter
  memory_mebibytes = var.memory_mebibytes.exporter
  name             = var.name
  network          = local.network
  publish          = { ip = var.bind_address, port = var.ports.exporter }

  depends_on = [terraform_data.free_port]
}

# The scrape.
module "prometheus" {
  source = "../../../modules/prometheus"

  evaluation_interval = var.scrape_interval
  external_labels     = { env = "local" }
  image               = var.images.prometheus
  memory_mebibytes    = var.memory_mebibytes.prometheus
  name                = var.name
  network             = local.network
  publish             = { ip = var.bind_address, port = var.ports.prometheus }
  retention           = var.retention
  scrape_interval     = var.scrape_interval
  secrets_directory   = var.secrets_directory
  targets_directory   = var.targets_directory

  # A job of the same name among the further ones takes the place of one of these.
  scrape_jobs = merge({
    go    = { native_histograms = true, targets = [module.exporter.target] }
    relay = { targets = [module.relay.target] }
  }, var.scrape_jobs)

  depends_on = [terraform_data.free_port]
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

  depends_on = [terraform_data.free_port]
}

# The delivery: keeps what Grafana sends until the robot, or the next channel, has taken it.
module "relay" {
  source = "../../../modules/relay"

  config            = file("${path.root}/relay.yaml")
  image             = var.images.relay
  memory_mebibytes  = var.memory_mebibytes.relay
  name              = var.name
  network           = local.network
  publish           = { ip = var.bind_address, port = var.ports.relay }
  secrets_directory = local.relay_secrets

  depends_on = [terraform_data.free_port]
}

# Where the messages end up: a stand-in for DingTalk's robot, with a page that shows them as a chat.
module "robot" {
  source = "../../../modules/robot"

  image            = var.images.robot
  name             = var.name
  network          = local.network
  publish          = { ip = var.bind_address, port = var.ports.robot }
  robots_directory = local.relay_secrets
  time_zone        = var.time_zone

  depends_on = [terraform_data.free_port]
}
