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

module "relay" {
  source = "../.."

  config = yamlencode({
    robots  = { ops = { keywords = ["报警"], secret_file = "/secrets/ops.sign", token_file = "/secrets/ops.token" } }
    emails  = { duty = { from = "relay@example.com", password_file = "/secrets/smtp", smarthost = "smtp.example.com:587", to = ["duty@example.com"], username = "relay" } }
    targets = { ops = { channels = [{ escalate_after = "5m", robots = ["ops"] }, { email = "duty" }] } }
  })
  image             = "lookout/relay:dev"
  environment       = { name = "lookout-example", network = docker_network.example }
  secrets_directory = "/etc/lookout/secrets"
}

output "url" {
  value = module.relay.relay.url
}
