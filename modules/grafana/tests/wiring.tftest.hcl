# What is connected to what: mocked resources are applied, so that ids are there to compare.

mock_provider "docker" {}

variables {
  admin_password = "correct horse battery"
  image          = "lookout/grafana:test"
  name           = "lookout-test"
  network        = { id = "0123456789ab", name = "lookout-test" }
}

run "the_container_is_hardened" {
  command = plan

  assert {
    condition     = docker_container.grafana.read_only && docker_container.grafana.privileged != true && docker_container.grafana.security_opts == toset(["no-new-privileges:true"])
    error_message = "its root is writable or it may gain privileges"
  }

  assert {
    condition     = can(regex("^[1-9]", docker_container.grafana.user))
    error_message = "it runs as root"
  }

  assert {
    condition     = one(docker_container.grafana.capabilities).drop == toset(["ALL"]) && length(coalesce(one(docker_container.grafana.capabilities).add, [])) == 0
    error_message = "it has capabilities"
  }

  assert {
    condition     = docker_container.grafana.memory > 0 && docker_container.grafana.memory == docker_container.grafana.memory_swap
    error_message = "its memory is not limited"
  }

  assert {
    condition     = docker_container.grafana.log_opts == tomap({ max-file = "3", max-size = "10m" }) && docker_container.grafana.log_driver == "json-file"
    error_message = "its log is not limited"
  }

  assert {
    condition     = docker_container.grafana.wait && one(docker_container.grafana.healthcheck).test[0] == "CMD"
    error_message = "its health is not waited for, or asked through a shell"
  }

  assert {
    condition     = docker_container.grafana.restart == "unless-stopped" && docker_container.grafana.destroy_grace_seconds >= 10
    error_message = "it does not come back, or is killed instead of stopped"
  }

  assert {
    condition     = docker_container.grafana.tmpfs == tomap({ "/tmp" = docker_container.grafana.tmpfs["/tmp"] }) && strcontains(docker_container.grafana.tmpfs["/tmp"], "noexec")
    error_message = "/tmp is not the one writable directory outside volumes, or programs run from it"
  }

  assert {
    condition     = alltrue([for port in docker_container.grafana.ports : port.ip == "127.0.0.1"])
    error_message = "a port is open beyond this machine"
  }
}

run "data_and_password_come_from_volumes" {
  command = apply

  assert {
    condition     = [for volume in docker_container.grafana.volumes : volume.volume_name if volume.container_path == "/var/lib/grafana"] == [docker_volume.data.id]
    error_message = "the data are not on their volume"
  }

  assert {
    condition     = [for volume in docker_container.grafana.volumes : volume.volume_name if volume.container_path == "/lookout/secrets" && volume.read_only == true] == [docker_volume.secrets.id] && one(docker_container.secrets_writer.volumes).volume_name == docker_volume.secrets.id
    error_message = "the password does not get from the writer to the server"
  }

  assert {
    condition     = one(docker_container.secrets_writer.upload).content == var.admin_password && !docker_container.secrets_writer.start
    error_message = "the writer does not hold the password, or runs"
  }

  assert {
    condition     = docker_container.grafana.image == docker_image.grafana.image_id && docker_image.grafana.keep_locally
    error_message = "it does not run the image, or destroy would remove it"
  }

  assert {
    condition     = one(docker_container.grafana.networks_advanced).name == var.network.id && one(docker_container.grafana.networks_advanced).aliases == toset(["grafana"])
    error_message = "the server is not in the environment's network as grafana"
  }

  assert {
    condition     = output.server == { admin_user = "admin", container_id = docker_container.grafana.id, container_name = "lookout-test-grafana", network_url = "http://grafana:3000", root_url = "http://127.0.0.1:3001/", url = "http://127.0.0.1:3001" }
    error_message = "the hand-off differs: ${jsonencode(output.server)}"
  }
}

run "without_a_directory_no_dashboards_are_read_from_files" {
  command = apply

  assert {
    condition     = length(docker_container.grafana.mounts) == 0 && length(docker_container.secrets_writer.upload) == 1 && length(terraform_data.dashboards) == 0
    error_message = "something is mounted or provisioned"
  }

  assert {
    condition     = contains(docker_container.grafana.env, "GF_PATHS_PROVISIONING=/etc/grafana/provisioning")
    error_message = "what the image provisions is not read"
  }
}

run "dashboards_are_read_from_a_directory" {
  command = apply

  variables {
    dashboards_directory = abspath("tests/dashboards")
  }

  assert {
    condition     = [for mount in docker_container.grafana.mounts : [mount.type, mount.source, mount.target, mount.read_only]] == [["bind", abspath("tests/dashboards"), "/lookout/dashboards", true]]
    error_message = "the directory is not mounted, or may be written"
  }

  assert {
    condition = [for upload in docker_container.secrets_writer.upload : yamldecode(upload.content).providers[0].options
      if upload.file == "/lookout/secrets/provisioning/dashboards/lookout.yaml"
    ] == [{ path = "/lookout/dashboards", foldersFromFilesStructure = true }]
    error_message = "Grafana is not told where the dashboards are"
  }

  assert {
    condition     = contains(docker_container.grafana.env, "GF_PATHS_PROVISIONING=/lookout/secrets/provisioning")
    error_message = "Grafana does not look where it is told"
  }

  assert {
    condition     = terraform_data.dashboards[0].input == sha256(jsonencode({ "go/one.json" = filesha256("tests/dashboards/go/one.json") }))
    error_message = "the hash is not that of the files"
  }
}
