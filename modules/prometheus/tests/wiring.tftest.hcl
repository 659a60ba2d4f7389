# What is connected to what: mocked resources are applied, so that ids are there to compare.

mock_provider "docker" {}

variables {
  environment = { name = "lookout-test", network = { id = "0123456789ab", name = "lookout-test" } }
  # The other way posts to a real port.
  reload = "watch"
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

run "server_promtool_and_writer_see_one_configuration" {
  command = apply

  assert {
    condition     = module.config.check.image == docker_image.prometheus.image_id && module.config.writer.image == docker_image.prometheus.image_id && module.container.container.image == docker_image.prometheus.image_id
    error_message = "they are not of one image, so promtool could be of another version"
  }

  assert {
    condition     = { for upload in module.config.check.upload : upload.file => upload.content } == output.configuration && { for upload in module.config.writer.upload : upload.file => upload.content } == output.configuration
    error_message = "what is checked is not what is written"
  }

  assert {
    condition     = [for volume in module.config.writer.volumes : volume.volume_name if volume.container_path == "/lookout/config"] == [module.config.volume]
    error_message = "the writer does not write into the configuration's volume"
  }

  assert {
    condition     = [for volume in module.container.container.volumes : volume.volume_name if volume.container_path == "/lookout/config" && volume.read_only == true] == [module.config.volume]
    error_message = "the server does not mount the configuration's volume read-only"
  }

  assert {
    condition     = [for volume in module.container.container.volumes : volume.volume_name if volume.container_path == "/prometheus"] == [docker_volume.data.id]
    error_message = "the data are not on their volume"
  }

  assert {
    condition     = one(module.container.container.networks_advanced).name == var.environment.network.id && one(module.container.container.networks_advanced).aliases == toset(["prometheus"])
    error_message = "the server is not in the environment's network as prometheus"
  }

  assert {
    condition     = !module.config.writer.start && module.config.check.network_mode == "none"
    error_message = "a helper runs for longer or reaches further than it has to"
  }

  assert {
    condition     = output.server == { container_id = module.container.container.id, container_name = "lookout-test-prometheus", network_url = "http://prometheus:9090", url = "http://127.0.0.1:9090" }
    error_message = "the hand-off differs: ${jsonencode(output.server)}"
  }

  assert {
    condition     = contains(module.container.container.command, "--config.auto-reload") && length(terraform_data.reload) == 0
    error_message = "the server does not watch its files"
  }
}

run "a_reload_follows_the_configurations_hash" {
  command = plan

  variables {
    reload = "http"
  }

  assert {
    condition     = terraform_data.reload[0].triggers_replace == [sha256(jsonencode({ for path, content in output.configuration : trimprefix(path, "/lookout/config/") => content }))]
    error_message = "the reload does not depend on what is written"
  }

  assert {
    condition     = contains(module.container.container.command, "--web.enable-lifecycle") && !contains(module.container.container.command, "--config.auto-reload")
    error_message = "the server does not offer /-/reload, or watches its files as well"
  }
}

run "nothing_is_published_where_nothing_is_asked_for" {
  command = apply

  variables {
    publish = null
  }

  assert {
    condition     = length(module.container.container.ports) == 0 && output.server.url == null
    error_message = "a port is published"
  }
}

run "a_server_on_all_addresses_is_asked_on_loopback" {
  command = apply

  variables {
    publish = { ip = "0.0.0.0", port = 19090 }
  }

  assert {
    condition     = one(module.container.container.ports).ip == "0.0.0.0" && output.server.url == "http://127.0.0.1:19090"
    error_message = "the URL is ${output.server.url}"
  }
}

run "alerts_go_to_alertmanager_without_what_tells_servers_apart" {
  command = plan

  variables {
    alertmanagers   = ["alertmanager:9093"]
    external_labels = { env = "test" }
  }

  assert {
    condition     = yamldecode(output.configuration["/lookout/config/prometheus.yml"]).alerting == { alert_relabel_configs = [{ action = "labeldrop", regex = "env" }], alertmanagers = [{ static_configs = [{ targets = ["alertmanager:9093"] }] }] }
    error_message = "the section alerting is ${jsonencode(yamldecode(output.configuration["/lookout/config/prometheus.yml"]).alerting)}"
  }
}
