# What is connected to what: mocked resources are applied, so that ids are there to compare.

mock_provider "docker" {
  mock_resource "docker_container" {
    defaults = { exit_code = 0 }
  }
}

variables {
  config            = "robots: {ops: {token_file: /secrets/ops}}"
  image             = "lookout/relay:test"
  name              = "lookout-test"
  network           = { id = "0123456789ab", name = "lookout-test" }
  secrets_directory = "/etc/lookout/secrets"
}

run "the_container_is_hardened" {
  command = plan

  assert {
    condition     = docker_container.relay.read_only && docker_container.relay.privileged != true && docker_container.relay.security_opts == toset(["no-new-privileges:true"])
    error_message = "its root is writable or it may gain privileges"
  }

  assert {
    condition     = can(regex("^[1-9]", docker_container.relay.user))
    error_message = "it runs as root"
  }

  assert {
    condition     = one(docker_container.relay.capabilities).drop == toset(["ALL"]) && length(coalesce(one(docker_container.relay.capabilities).add, [])) == 0
    error_message = "it has capabilities"
  }

  assert {
    condition     = docker_container.relay.memory > 0 && docker_container.relay.memory == docker_container.relay.memory_swap
    error_message = "its memory is not limited"
  }

  assert {
    condition     = docker_container.relay.log_opts == tomap({ max-file = "3", max-size = "10m" }) && docker_container.relay.log_driver == "json-file"
    error_message = "its log is not limited"
  }

  assert {
    condition     = docker_container.relay.tmpfs == tomap({ "/tmp" = docker_container.relay.tmpfs["/tmp"] }) && strcontains(docker_container.relay.tmpfs["/tmp"], "noexec")
    error_message = "it can write where it need not: ${jsonencode(docker_container.relay.tmpfs)}"
  }

  assert {
    condition     = docker_container.relay.wait && one(docker_container.relay.healthcheck).test[0] == "CMD"
    error_message = "its health is not waited for, or asked through a shell"
  }

  assert {
    condition     = docker_container.relay.restart == "unless-stopped" && docker_container.relay.destroy_grace_seconds >= 30
    error_message = "it does not come back, or is killed before a running send is over"
  }

  assert {
    condition     = alltrue([for port in docker_container.relay.ports : port.ip == "127.0.0.1"])
    error_message = "a port is open beyond this machine"
  }
}

run "it_is_in_the_network_under_its_name" {
  command = apply

  assert {
    condition     = docker_container.relay.image == docker_image.relay.image_id && docker_image.relay.keep_locally
    error_message = "it does not run the image, or destroy would remove it"
  }

  assert {
    condition     = one(docker_container.relay.networks_advanced).name == var.network.id && one(docker_container.relay.networks_advanced).aliases == toset(["relay"])
    error_message = "it is not in the environment's network as relay"
  }

  assert {
    condition     = output.relay == { container_id = docker_container.relay.id, container_name = "lookout-test-relay", network_url = "http://relay:8070", url = "http://127.0.0.1:8070" }
    error_message = "the hand-off differs: ${jsonencode(output.relay)}"
  }

  assert {
    condition     = output.target == { address = "relay:8070", labels = { instance = "relay1" } }
    error_message = "the target differs: ${jsonencode(output.target)}"
  }
}

run "secrets_are_mounted_and_nothing_else_of_the_host" {
  command = apply

  assert {
    condition     = one([for v in docker_container.relay.volumes : v.container_path if try(coalesce(v.host_path), "") == "/etc/lookout/secrets" && try(coalesce(v.read_only), false)]) == "/secrets"
    error_message = "the secrets are not at /secrets, or writable"
  }

  assert {
    condition     = length([for v in docker_container.relay.volumes : v if try(coalesce(v.host_path), "") != ""]) == 1
    error_message = "more of the host is mounted"
  }

  assert {
    condition     = docker_container.relay.env == null || length(docker_container.relay.env) == 0
    error_message = "something is in the environment, where inspect shows it"
  }
}

run "spool_and_configuration_are_volumes" {
  command = apply

  assert {
    condition     = { for v in docker_container.relay.volumes : v.container_path => v.volume_name if v.container_path != "/secrets" } == { "/etc/relay" = docker_volume.config.id, "/var/lib/relay" = docker_volume.spool.id }
    error_message = "the volumes differ"
  }

  assert {
    condition     = one(docker_container.config_writer.volumes).volume_name == docker_volume.config.id && docker_container.config_writer.start == false
    error_message = "the configuration is written elsewhere"
  }
}

run "nothing_is_published_where_nothing_is_asked_for" {
  command = apply

  variables {
    publish = null
  }

  assert {
    condition     = length(docker_container.relay.ports) == 0 && output.relay.url == null
    error_message = "a port is published"
  }
}
