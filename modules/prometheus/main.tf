locals {
  port = 9090
  # nobody, as in the published image. By number, since Docker would look a name up in the image.
  user = "65534:65534"

  # 0.0.0.0 is where it listens, not where one can ask.
  host = var.publish == null ? null : contains(["0.0.0.0", "::"], var.publish.ip) ? "127.0.0.1" : strcontains(var.publish.ip, ":") ? "[${var.publish.ip}]" : var.publish.ip
  url  = var.publish == null ? null : "http://${local.host}:${var.publish.port}"

  # In images built here one check goes on for 20 s once Prometheus has answered: starting a check costs
  # more than asking. Other images have nothing that could, and are asked every 5 s.
  holds = var.health_command == null && can(regex("(^|/)lookout/prometheus(:|@|$)", var.image))
  health_command = coalesce(var.health_command, local.holds
    ? ["/bin/probe", "--hold=20s", "http://127.0.0.1:${local.port}/-/healthy"]
    : ["/bin/promtool", "check", "healthy", "--url=http://127.0.0.1:${local.port}"]
  )
  healthcheck = {
    interval     = local.holds ? "1s" : "5s"
    retries      = 3
    start_period = "45s"
    test         = concat(["CMD"], local.health_command)
    timeout      = local.holds ? "30s" : "10s"
  }
  tmpfs = { "/tmp" = "rw,noexec,nosuid,nodev,size=16m" }
}

resource "docker_image" "prometheus" {
  name         = var.image
  keep_locally = true
}

resource "docker_volume" "data" {
  name = "${var.name}-prometheus-data"

  labels {
    label = "lookout.environment"
    value = var.name
  }
}

# The provider plans a change of these in place and then does not make it.
resource "terraform_data" "replaces_container" {
  input = { healthcheck = local.healthcheck, tmpfs = local.tmpfs }
}

resource "docker_container" "prometheus" {
  name  = "${var.name}-prometheus"
  image = docker_image.prometheus.image_id
  command = concat([
    "--config.file=${local.config_path}/prometheus.yml",
    "--enable-feature=exemplar-storage",
    "--storage.tsdb.path=/prometheus",
    "--web.enable-lifecycle",
    "--web.listen-address=:${local.port}",
  ], var.reload == "watch" ? ["--config.auto-reload", "--config.auto-reload-interval=5s"] : [])
  restart               = "unless-stopped"
  wait                  = true
  wait_timeout          = var.wait_seconds
  destroy_grace_seconds = 30

  user          = local.user
  group_add     = var.docker_socket == null ? [] : [tostring(var.docker_socket.group_id)]
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
    aliases = ["prometheus"]
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
    container_path = "/prometheus"
    volume_name    = docker_volume.data.id
  }

  dynamic "volumes" {
    for_each = local.host_mounts

    content {
      container_path = volumes.key
      host_path      = volumes.value
      read_only      = true
    }
  }

  # The configuration has to be in the volume before the server first looks for it.
  depends_on = [docker_container.config_writer]

  lifecycle {
    replace_triggered_by = [terraform_data.replaces_container]
  }
}
