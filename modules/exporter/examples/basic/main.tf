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

module "exporter" {
  source = "../.."

  enable_faults = true
  image         = "lookout/exporter:dev"
  environment   = { name = "lookout-example", network = docker_network.example }
  self_traffic  = 5
}

output "url" {
  value = module.exporter.service.url
}
