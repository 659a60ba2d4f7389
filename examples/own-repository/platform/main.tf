# service ─▶ prometheus ─▶ alertmanager ─▶ relay ─▶ DingTalk
#                └───────▶ grafana

resource "docker_network" "shop" {
  name = "shop"
}

locals {
  environment = { name = "shop", network = docker_network.shop }
}

# alerts/*.yaml for this environment. No resource.
module "alerts" {
  source = "git::https://git.example.com/lookout.git//modules/alerts?ref=main"

  path            = "${path.root}/../alerts"
  dashboards_path = "${path.root}/../dashboards"
  environment     = "shop"
  console_url     = "http://127.0.0.1:3001"
}

module "prometheus" {
  source = "git::https://git.example.com/lookout.git//modules/prometheus?ref=main"

  alertmanagers = [module.alertmanager.address]
  environment   = local.environment
  publish       = { port = 9090 }
  rule_files    = module.alerts.alerts.rule_files

  scrape_jobs = {
    shop         = { targets = [{ address = "host.docker.internal:8080", labels = { instance = "shop1" } }] }
    alertmanager = { targets = [module.alertmanager.target] }
    relay        = { targets = [module.relay.target] }
  }
}

module "alertmanager" {
  source = "git::https://git.example.com/lookout.git//modules/alertmanager?ref=main"

  default_target = "team"
  environment    = local.environment
  publish        = { port = 9093 }
  targets        = ["team"]
}

module "relay" {
  source = "git::https://git.example.com/lookout.git//modules/relay?ref=main"

  config = yamlencode({
    robots = { team = { keywords = ["报警"], secret_file = "/secrets/team.sign", token_file = "/secrets/team.token" } }
  })
  environment       = local.environment
  image             = var.relay_image
  publish           = { port = 8070 }
  secrets_directory = var.relay_secrets_directory
}

module "grafana" {
  source = "git::https://git.example.com/lookout.git//modules/grafana?ref=main"

  admin_password = var.grafana_admin_password
  environment    = local.environment
  publish        = { port = 3001 }
}
