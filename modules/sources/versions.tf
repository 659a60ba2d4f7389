terraform {
  required_version = ">= 1.11"

  required_providers {
    docker = {
      source  = "kreuzwerker/docker"
      version = ">= 4.6, < 5.0"
    }
  }
}
