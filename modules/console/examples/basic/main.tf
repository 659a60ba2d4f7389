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

module "console" {
  source = "../.."

  dashboards  = "${path.module}/../../../../dashboards"
  environment = { name = "lookout-example", network = docker_network.example }
  image       = "lookout/console:dev"
  runbooks    = "${path.module}/../../../../docs/runbooks"
}

output "url" {
  value = module.console.console.url
}
