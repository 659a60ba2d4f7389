# What is connected to what: mocked resources are applied, so that ids are there to compare.

mock_provider "docker" {}

variables {
  image       = "lookout/robot:test"
  environment = { name = "lookout-test", network = { id = "0123456789ab", name = "lookout-test" } }
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
    condition     = module.container.container.wait && one(module.container.container.healthcheck).test[0] == "CMD"
    error_message = "its health is not waited for, or asked through a shell"
  }

  assert {
    condition     = module.container.container.restart == "unless-stopped" && module.container.container.destroy_grace_seconds >= 10
    error_message = "it does not come back, or is killed instead of stopped"
  }

  assert {
    condition     = module.container.container.tmpfs == tomap({ "/tmp" = module.container.container.tmpfs["/tmp"] }) && strcontains(module.container.container.tmpfs["/tmp"], "noexec")
    error_message = "/tmp is not the one writable directory outside volumes, or programs run from it"
  }

  assert {
    condition     = alltrue([for port in module.container.container.ports : port.ip == "127.0.0.1"])
    error_message = "a port is open beyond this machine"
  }
}

run "it_is_in_the_network_under_its_name" {
  command = apply

  assert {
    condition     = module.container.container.image == docker_image.robot.image_id && docker_image.robot.keep_locally
    error_message = "it does not run the image, or destroy would remove it"
  }

  assert {
    condition     = one(module.container.container.networks_advanced).name == var.environment.network.id && one(module.container.container.networks_advanced).aliases == toset(["robot"])
    error_message = "it is not in the environment's network as robot"
  }

  assert {
    condition     = output.robot == { container_id = module.container.container.id, container_name = "lookout-test-robot", network_url = "http://robot:8060/robot/send?access_token=lookout", url = "http://127.0.0.1:8060" }
    error_message = "the hand-off differs: ${jsonencode(output.robot)}"
  }
}

run "nothing_is_published_where_nothing_is_asked_for" {
  command = apply

  variables {
    publish = null
  }

  assert {
    condition     = length(module.container.container.ports) == 0 && output.robot.url == null
    error_message = "a port is published"
  }
}
