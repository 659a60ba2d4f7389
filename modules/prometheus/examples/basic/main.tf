terraform {
  required_version = ">= 1.11"

  required_providers {
    docker = {
      source  = "kreuzwerker/docker"
      version = ">= 4.6, < 5.0"
    }
  }
}

resource "docker_network" "example" {
  name = "lookout-example"
}

module "prometheus" {
  source = "../.."

  environment       = { name = "lookout-example", network = docker_network.example }
  retention         = { size = "10GB", time = "30d" }
  secrets_directory = "/srv/lookout/secrets"
  targets_directory = "/srv/lookout/targets"

  scrape_jobs = {
    # Addresses that stay: a Go service and where it runs.
    go = {
      native_histograms = true
      targets           = [{ address = "exporter:9100", labels = { instance = "go1" } }]
    }

    # Files that something else writes, for example /srv/lookout/targets/hosts/berlin.json.
    hosts = {
      files    = [{ names = ["hosts/*.json"] }]
      interval = "30s"
    }

    # A login, whose password is in /srv/lookout/secrets/mysql_password and nowhere else.
    mysql = {
      basic_auth = { password_file = "mysql_password", username = "lookout" }
      targets    = [{ address = "mysql.example.com:9104", labels = { instance = "orders" } }]
    }

    # However many there are behind a name.
    redis = {
      dns = [{ names = ["redis-exporter.example.com"], port = 9121 }]
    }
  }

  recording_rules = {
    business = {
      rules = [{ expr = "sum by (channel) (rate(orders_created_total[5m]))", record = "channel:orders:rate5m" }]
    }
  }
}

output "url" {
  value = module.prometheus.server.url
}
