locals {
  # Health checks and Prometheus have a listener of their own: whatever a crowd of senders does to the other, this one answers.
  health_port = 8071
  port        = 8070
  # The first keeps the name that it has alone, so that a second one replaces nothing.
  service = var.replica == 1 ? "relay" : "relay-${var.replica}"
}

resource "docker_image" "relay" {
  name         = var.image
  keep_locally = true
}

# What is accepted and not delivered yet. The container can be replaced at any moment, this can't.
resource "docker_volume" "spool" {
  name = "${var.environment.name}-${local.service}-spool"

  labels {
    label = "lookout.environment"
    value = var.environment.name
  }

  dynamic "labels" {
    for_each = var.environment.stack[*]

    content {
      label = "lookout.stack"
      value = labels.value
    }
  }

  lifecycle {
    # A label that was added later must not cost a spool.
    ignore_changes = [labels]
  }
}

module "container" {
  source = "../_container"

  binds = { (local.secrets_path) = var.secrets_directory }
  command = concat(local.answers, [
    "--config=${local.config_path}/relay.yaml",
    "--health-listen=:${local.health_port}",
    "--listen=:${local.port}",
    "--reserve-mib=${var.reserve_mebibytes}",
    "--spool=/var/lib/relay/spool.db",
  ])
  entrypoint  = ["/bin/relay"]
  environment = var.environment
  # A message on its way has this long to be answered, and the answer to be written down.
  grace_seconds    = 35
  group_add        = local.groups
  health           = { command = ["/bin/probe", "--hold=20s", "http://127.0.0.1:${local.health_port}/-/healthy"] }
  image_id         = docker_image.relay.image_id
  memory_mebibytes = var.memory_mebibytes
  port             = local.port
  publish          = var.publish
  service          = local.service

  volumes = {
    (local.config_path) = { read_only = true, volume_name = module.config.volume }
    "/var/lib/relay"    = { volume_name = docker_volume.spool.id }
  }
}

moved {
  from = docker_container.relay
  to   = module.container.docker_container.container
}

moved {
  from = terraform_data.replaces_container
  to   = module.container.terraform_data.replaces_container
}
