# What is connected to what: mocked resources are applied, so that ids are there to compare.

mock_provider "docker" {}

variables {
  image   = "lookout/robot:test"
  name    = "lookout-test"
  network = { id = "0123456789ab", name = "lookout-test" }
}

run "the_container_is_hardened" {
  command = plan

  assert {
    condition     = docker_container.robot.read_only && docker_container.robot.privileged != true && docker_container.robot.security_opts == toset(["no-new-privileges:true"])
    error_message = "its root is writable or it may gain privileges"
  }

  assert {
    condition     = can(regex("^[1-9]", docker_container.robot.user))
    error_message = "it runs as root"
  }

  assert {
    condition     = one(docker_container.robot.capabilities).drop == toset(["ALL"]) && length(coalesce(one(docker_container.robot.capabilities).add, [])) == 0
    error_message = "it has capabilities"
  }

  assert {
    condition     = docker_container.robot.memory > 0 && docker_container.robot.memory == docker_container.robot.memory_swap
    error_message = "its memory is not limited"
  }

  assert {
    condition     = docker_container.robot.log_opts == tomap({ max-file = "3", max-size = "10m" }) && docker_container.robot.log_driver == "json-file"
    error_message = "its log is not limited"
  }

  assert {
    condition     = docker_container.robot.wait && one(docker_container.robot.healthcheck).test[0] == "CMD"
    error_message = "its health is not waited for, or asked through a shell"
  }

  assert {
    condition     = docker_container.robot.restart == "unless-stopped" && docker_container.robot.destroy_grace_seconds >= 10
    error_message = "it does not come back, or is killed instead of stopped"
  }

  assert {
    condition     = docker_container.robot.tmpfs == tomap({ "/tmp" = docker_container.robot.tmpfs["/tmp"] }) && strcontains(docker_container.robot.tmpfs["/tmp"], "noexec")
    error_message = "/tmp is not the one writable directory outside volumes, or programs run from it"
  }

  assert {
    condition     = alltrue([for port in docker_container.robot.ports : port.ip == "127.0.0.1"])
    error_message = "a port is open beyond this machine"
  }
}

run "it_is_in_the_network_under_its_name" {
  command = apply

  assert {
    condition     = docker_container.robot.image == docker_image.robot.image_id && docker_image.robot.keep_locally
    error_message = "it does not run the image, or destroy would remove it"
  }

  assert {
    condition     = one(docker_container.robot.networks_advanced).name == var.network.id && one(docker_container.robot.networks_advanced).aliases == toset(["robot"])
    error_message = "it is not in the environment's network as robot"
  }

  assert {
    condition     = output.robot == { container_id = docker_container.robot.id, container_name = "lookout-test-robot", network_url = "http://robot:8060/robot/send?access_token=lookout", url = "http://127.0.0.1:8060" }
    error_message = "the hand-off differs: ${jsonencode(output.robot)}"
  }
}

run "nothing_is_published_where_nothing_is_asked_for" {
  command = apply

  variables {
    publish = null
  }

  assert {
    condition     = length(docker_container.robot.ports) == 0 && output.robot.url == null
    error_message = "a port is published"
  }
}
