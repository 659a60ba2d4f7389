# What is connected to what: mocked resources are applied, so that ids are there to compare.

mock_provider "docker" {
  mock_resource "docker_container" {
    defaults = { exit_code = 0 }
  }
}

variables {
  config            = "robots: {ops: {token_file: /secrets/ops}}"
  image             = "lookout/relay:test"
  environment       = { name = "lookout-test", network = { id = "0123456789ab", name = "lookout-test" } }
  secrets_directory = "/etc/lookout/secrets"
}

run "the_container_is_hardened" {
  command = plan

  assert {
    condition     = module.container.container.read_only && module.container.container.privileged != true && module.container.container.security_opts == toset(["no-new-privileges:true"])
    error_message = "its root is writable or it may gain privileges"
  }

  assert {
    condition     = can(regex("^[1-9]", module.container.container.user))
    error_message = "it runs as root"
  }

  assert {
    condition     = one(module.container.container.capabilities).drop == toset(["ALL"]) && length(coalesce(one(module.container.container.capabilities).add, [])) == 0
    error_message = "it has capabilities"
  }

  assert {
    condition     = module.container.container.memory > 0 && module.container.container.memory == module.container.container.memory_swap
    error_message = "its memory is not limited"
  }

  assert {
    condition     = module.container.container.log_opts == tomap({ max-file = "3", max-size = "10m" }) && module.container.container.log_driver == "json-file"
    error_message = "its log is not limited"
  }

  assert {
    condition     = module.container.container.tmpfs == tomap({ "/tmp" = module.container.container.tmpfs["/tmp"] }) && strcontains(module.container.container.tmpfs["/tmp"], "noexec")
    error_message = "it can write where it need not: ${jsonencode(module.container.container.tmpfs)}"
  }

  assert {
    condition     = module.container.container.wait && one(module.container.container.healthcheck).test[0] == "CMD"
    error_message = "its health is not waited for, or asked through a shell"
  }

  assert {
    condition     = module.container.container.restart == "unless-stopped" && module.container.container.destroy_grace_seconds >= 30
    error_message = "it does not come back, or is killed before a running send is over"
  }

  assert {
    condition     = alltrue([for port in module.container.container.ports : port.ip == "127.0.0.1"])
    error_message = "a port is open beyond this machine"
  }
}

run "it_is_in_the_network_under_its_name" {
  command = apply

  assert {
    condition     = module.container.container.image == docker_image.relay.image_id && docker_image.relay.keep_locally
    error_message = "it does not run the image, or destroy would remove it"
  }

  assert {
    condition     = one(module.container.container.networks_advanced).name == var.environment.network.id && one(module.container.container.networks_advanced).aliases == toset(["relay"])
    error_message = "it is not in the environment's network as relay"
  }

  assert {
    condition     = output.relay == { container_id = module.container.container.id, container_name = "lookout-test-relay", network_url = "http://relay:8070", url = "http://127.0.0.1:8070" }
    error_message = "the hand-off differs: ${jsonencode(output.relay)}"
  }

  assert {
    condition     = output.target == { address = "relay:8071", labels = { instance = "relay1" } }
    error_message = "the target differs: ${jsonencode(output.target)}"
  }

  assert {
    condition     = strcontains(jsonencode(module.container.container.healthcheck), "http://127.0.0.1:8071/-/healthy")
    error_message = "the health check asks the listener that a crowd of senders can fill"
  }
}

run "secrets_are_mounted_and_nothing_else_of_the_host" {
  command = apply

  assert {
    condition     = [for m in module.container.container.mounts : m.target if m.source == "/etc/lookout/secrets" && m.type == "bind" && m.read_only] == ["/secrets"]
    error_message = "the secrets are not at /secrets, or writable"
  }

  assert {
    condition     = length(module.container.container.mounts) == 1 && alltrue([for v in module.container.container.volumes : try(coalesce(v.host_path), "") == ""])
    error_message = "more of the host is mounted"
  }

  assert {
    condition     = module.container.container.env == null || length(module.container.container.env) == 0
    error_message = "something is in the environment, where inspect shows it"
  }
}

run "spool_and_configuration_are_volumes" {
  command = apply

  assert {
    condition     = { for v in module.container.container.volumes : v.container_path => v.volume_name if v.container_path != "/secrets" } == { "/etc/relay" = module.config.volume, "/var/lib/relay" = docker_volume.spool.id }
    error_message = "the volumes differ"
  }

  assert {
    condition     = one(module.config.writer.volumes).volume_name == module.config.volume && module.config.writer.start == false
    error_message = "the configuration is written elsewhere"
  }
}

run "nothing_is_published_where_nothing_is_asked_for" {
  command = apply

  variables {
    publish = null
  }

  assert {
    condition     = length(module.container.container.ports) == 0 && output.relay.url == null
    error_message = "a port is published"
  }
}
