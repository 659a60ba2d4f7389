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

variable "grafana_admin_password" {
  type      = string
  sensitive = true
}

module "grafana" {
  source = "../.."

  admin_password = var.grafana_admin_password
  environment    = { name = "lookout-example", network = docker_network.example }
  root_url       = "https://grafana.example.com/"
  time_zone      = "Asia/Shanghai"
}

output "url" {
  value = module.grafana.server.url
}
