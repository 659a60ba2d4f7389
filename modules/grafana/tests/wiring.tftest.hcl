# What is connected to what: mocked resources are applied, so that ids are there to compare.

mock_provider "docker" {}

variables {
  admin_password = "correct horse battery"
  image          = "grafana/grafana:test"
  environment    = { name = "lookout-test", network = { id = "0123456789ab", name = "lookout-test" } }
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

run "data_and_password_come_from_volumes" {
  command = apply

  assert {
    condition     = [for volume in module.container.container.volumes : volume.volume_name if volume.container_path == "/var/lib/grafana"] == [docker_volume.data.id]
    error_message = "the data are not on their volume"
  }

  assert {
    condition     = [for volume in module.container.container.volumes : volume.volume_name if volume.container_path == "/lookout/secrets" && volume.read_only == true] == [module.secrets.volume] && one(module.secrets.writer.volumes).volume_name == module.secrets.volume
    error_message = "the password does not get from the writer to the server"
  }

  assert {
    condition     = one(module.secrets.writer.upload).content == var.admin_password && !module.secrets.writer.start
    error_message = "the writer does not hold the password, or runs"
  }

  assert {
    condition     = module.container.container.image == docker_image.grafana.image_id && docker_image.grafana.keep_locally
    error_message = "it does not run the image, or destroy would remove it"
  }

  assert {
    condition     = one(module.container.container.networks_advanced).name == var.environment.network.id && one(module.container.container.networks_advanced).aliases == toset(["grafana"])
    error_message = "the server is not in the environment's network as grafana"
  }

  assert {
    condition     = output.server == { admin_user = "admin", container_id = module.container.container.id, container_name = "lookout-test-grafana", network_url = "http://grafana:3000", root_url = "http://127.0.0.1:3001/", url = "http://127.0.0.1:3001" }
    error_message = "the hand-off differs: ${jsonencode(output.server)}"
  }
}

run "without_a_directory_no_dashboards_are_read_from_files" {
  command = apply

  assert {
    condition     = length(module.container.container.mounts) == 0 && length(module.secrets.writer.upload) == 1 && length(terraform_data.dashboards) == 0
    error_message = "something is mounted or provisioned"
  }

  assert {
    condition     = contains(module.container.container.env, "GF_PATHS_PROVISIONING=/etc/grafana/provisioning")
    error_message = "what the image provisions is not read"
  }
}

run "dashboards_are_read_from_a_directory" {
  command = apply

  variables {
    dashboards_directory = abspath("tests/dashboards")
  }

  assert {
    condition     = [for mount in module.container.container.mounts : [mount.type, mount.source, mount.target, mount.read_only]] == [["bind", abspath("tests/dashboards"), "/lookout/dashboards", true]]
    error_message = "the directory is not mounted, or may be written"
  }

  assert {
    condition = [for upload in module.secrets.writer.upload : yamldecode(upload.content).providers[0].options
      if upload.file == "/lookout/secrets/provisioning/dashboards/lookout.yaml"
    ] == [{ path = "/lookout/dashboards", foldersFromFilesStructure = true }]
    error_message = "Grafana does not get the directory of the dashboards"
  }

  assert {
    condition     = contains(module.container.container.env, "GF_PATHS_PROVISIONING=/lookout/secrets/provisioning")
    error_message = "Grafana does not use that directory"
  }

  assert {
    condition     = terraform_data.dashboards[0].input == sha256(jsonencode({ "go/one.json" = filesha256("tests/dashboards/go/one.json") }))
    error_message = "the hash is not that of the files"
  }
}
