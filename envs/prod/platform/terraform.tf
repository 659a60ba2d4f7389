terraform {
  required_version = ">= 1.11"

  required_providers {
    docker = {
      source  = "kreuzwerker/docker"
      version = "4.6.0"
    }
  }

  # Bucket, region, endpoint and credentials differ per organisation and come from a file that is not
  # committed: terraform init -backend-config=backend.hcl (backend.hcl.example shows one).
  backend "s3" {
    encrypt      = true
    key          = "lookout/prod/platform.tfstate"
    use_lockfile = true
  }
}

provider "docker" {
  host = var.docker_host
}
