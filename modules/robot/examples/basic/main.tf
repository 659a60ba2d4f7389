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

module "robot" {
  source = "../.."

  image       = "lookout/robot:dev"
  environment = { name = "lookout-example", network = docker_network.example }
}

output "page" {
  value = module.robot.robot.url
}
