# Many generated dashboards as files that Grafana reads by itself: `go run ./test/bench/dashboards --way files`.

module "grafana" {
  source = "../../../../modules/grafana"

  admin_password       = var.password
  dashboards_directory = var.path
  image                = var.image
  name                 = var.name
  network              = docker_network.network
  publish              = { port = var.port }
}

resource "docker_network" "network" {
  name = var.name
}

variable "image" {
  description = "Image of the Grafana to measure."
  type        = string
}

variable "name" {
  description = "What everything in the engine begins with."
  type        = string
}

variable "password" {
  description = "Of the user admin."
  type        = string
  sensitive   = true
}

variable "path" {
  description = "Directory with the generated dashboards."
  type        = string
}

variable "port" {
  description = "Port on the loopback address that Grafana is published on."
  type        = number
}

terraform {
  required_version = ">= 1.11"

  required_providers {
    docker = {
      source  = "kreuzwerker/docker"
      version = "4.6.0"
    }
  }
}
