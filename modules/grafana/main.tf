locals {
  port = 3000
  # The published image's user. By number, so that it holds in an image without a passwd file.
  user = "472"

  # 0.0.0.0 is where it listens, not where one can ask.
  host     = contains(["0.0.0.0", "::"], var.publish.ip) ? "127.0.0.1" : strcontains(var.publish.ip, ":") ? "[${var.publish.ip}]" : var.publish.ip
  url      = "http://${local.host}:${var.publish.port}"
  root_url = coalesce(var.root_url, "${local.url}/")

  health_url = "http://127.0.0.1:${local.port}/api/health"
  # In images built here one check goes on for 20 s once Grafana has answered: starting a check costs
  # more than asking. Other images have nothing that could, and are asked every 5 s.
  holds = var.health_command == null && can(regex("(^|/)lookout/grafana(:|@|$)", var.image))
  health_command = coalesce(var.health_command, local.holds
    ? ["/bin/probe", "--hold=20s", local.health_url]
    : ["wget", "-q", "-O", "/dev/null", local.health_url]
  )
  healthcheck = {
    interval     = local.holds ? "1s" : "5s"
    retries      = 3
    start_period = "45s"
    test         = concat(["CMD"], local.health_command)
    timeout      = local.holds ? "30s" : "10s"
  }
  tmpfs = { "/tmp" = "rw,noexec,nosuid,nodev,size=64m" }
}

resource "docker_image" "grafana" {
  name         = var.image
  keep_locally = true
}

resource "docker_volume" "data" {
  name = "${var.name}-grafana-data"

  labels {
    label = "lookout.environment"
    value = var.name
  }
}

# The provider plans a change of these in place and then does not make it.
resource "terraform_data" "replaces_container" {
  input = { healthcheck = local.healthcheck, tmpfs = local.tmpfs }
}

resource "docker_container" "grafana" {
  name                  = "${var.name}-grafana"
  image                 = docker_image.grafana.image_id
  env                   = [for key, value in local.environment : "${key}=${value}"]
  restart               = "unless-stopped"
  wait                  = true
  wait_timeout          = var.wait_seconds
  destroy_grace_seconds = 30

  user          = local.user
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
    aliases = ["grafana"]
  }

  ports {
    internal = local.port
    external = var.publish.port
    ip       = var.publish.ip
  }

  dynamic "mounts" {
    for_each = var.dashboards_directory[*]

    content {
      type      = "bind"
      source    = mounts.value
      target    = local.dashboards_path
      read_only = true
    }
  }

  volumes {
    container_path = "/var/lib/grafana"
    volume_name    = docker_volume.data.id
  }

  volumes {
    container_path = local.secrets_path
    read_only      = true
    volume_name    = docker_volume.secrets.id
  }

  depends_on = [docker_container.secrets_writer]

  lifecycle {
    replace_triggered_by = [terraform_data.replaces_container]
  }
}
