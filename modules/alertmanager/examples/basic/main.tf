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

module "alertmanager" {
  source = "../.."

  about_delivery    = { robot_file = "watch.url" }
  default_target    = "team"
  environment       = { name = "lookout-example", network = docker_network.example }
  external_url      = "https://monitoring.example.com"
  heartbeat         = { interval = "1m" }
  secrets_directory = "/etc/lookout/alertmanager"
  targets           = ["oncall", "team"]

  # A night is two spans, since none passes midnight.
  mute_intervals = {
    night = [{ times = [{ start = "22:00", end = "24:00" }] }, { times = [{ start = "00:00", end = "08:00" }] }]
  }

  routes = [
    { labels = { severity = "critical" }, target = "oncall" },
    { labels = { severity = "info" }, mute_intervals = ["night"], target = "team" },
  ]
}

output "url" {
  value = module.alertmanager.server.url
}
