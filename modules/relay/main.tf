locals {
  port = 8070
  # nobody. By number, since there is nothing in the image to look a name up in.
  user = "65534:65534"

  # 0.0.0.0 is where it listens, not where one can ask.
  host = var.publish == null ? null : contains(["0.0.0.0", "::"], var.publish.ip) ? "127.0.0.1" : strcontains(var.publish.ip, ":") ? "[${var.publish.ip}]" : var.publish.ip

  # One check goes on for 20 s once the service has answered: starting a check costs more than asking.
  healthcheck = {
    interval     = "1s"
    retries      = 3
    start_period = "45s"
    test         = ["CMD", "/bin/probe", "--hold=20s", "http://127.0.0.1:${local.port}/-/healthy"]
    timeout      = "30s"
  }
  tmpfs = { "/tmp" = "rw,noexec,nosuid,nodev,size=16m" }
}

resource "docker_image" "relay" {
  name         = var.image
  keep_locally = true
}

# What is accepted and not delivered yet. The container can be replaced at any moment, this can't.
resource "docker_volume" "spool" {
  name = "${var.name}-relay-spool"

  labels {
    label = "lookout.environment"
    value = var.name
  }
}

# The provider plans a change of these in place and then does not make it.
resource "terraform_data" "replaces_container" {
  input = { healthcheck = local.healthcheck, tmpfs = local.tmpfs }
}

resource "docker_container" "relay" {
  name       = "${var.name}-relay"
  image      = docker_image.relay.image_id
  entrypoint = ["/bin/relay"]
  command = [
    "--config=${local.config_path}/relay.yaml",
    "--listen=:${local.port}",
    "--reserve-mib=${var.reserve_mebibytes}",
    "--spool=/var/lib/relay/spool.db",
  ]
  restart = "unless-stopped"
  wait    = true
  # A message on its way has this long to be answered, and the answer to be written down.
  destroy_grace_seconds = 35

  user          = local.user
  group_add     = var.secrets_group_id == null ? [] : [tostring(var.secrets_group_id)]
  read_only     = true
  tmpfs         = local.tmpfs
  memory        = var.memory_mebibytes
  memory_swap   = var.memory_mebibytes
  security_opts = ["no-new-privileges:true"]
  log_driver    = "json-file"
  log_opts      = { max-file = "3", max-size = "10m" }

  capabilities {
    drop = ["ALL"]
  }

  healthcheck {
    interval     = local.healthcheck.interval
    retries      = local.healthcheck.retries
    start_period = local.healthcheck.start_period
    test         = local.healthcheck.test
    timeout      = local.healthcheck.timeout
  }

  labels {
    label = "lookout.environment"
    value = var.name
  }

  networks_advanced {
    name    = var.network.id
    aliases = ["relay"]
  }

  dynamic "ports" {
    for_each = var.publish[*]

    content {
      internal = local.port
      external = ports.value.port
      ip       = ports.value.ip
    }
  }

  volumes {
    container_path = local.config_path
    read_only      = true
    volume_name    = docker_volume.config.id
  }

  volumes {
    container_path = "/var/lib/relay"
    volume_name    = docker_volume.spool.id
  }

  volumes {
    container_path = local.secrets_path
    host_path      = var.secrets_directory
    read_only      = true
  }

  # The configuration has to be in the volume before the relay first looks for it.
  depends_on = [docker_container.config_writer]

  lifecycle {
    replace_triggered_by = [terraform_data.replaces_container]
  }
}
