locals {
  port = 3000
  # The published image's user. By number, so that it holds in an image without a passwd file.
  user = "472"

  # 0.0.0.0 is where it listens, not where one can ask.
  host     = contains(["0.0.0.0", "::"], var.publish.ip) ? "127.0.0.1" : strcontains(var.publish.ip, ":") ? "[${var.publish.ip}]" : var.publish.ip
  root_url = coalesce(var.root_url, "http://${local.host}:${var.publish.port}/")

  health_command = coalesce(var.health_command, ["wget", "-q", "-O", "/dev/null", "http://127.0.0.1:${local.port}/api/health"])
}

resource "docker_image" "grafana" {
  name         = var.image
  keep_locally = true
}

resource "docker_volume" "data" {
  name = "${var.environment.name}-grafana-data"

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
    # A label that was added later must not cost users, stars and annotations.
    ignore_changes = [labels]
  }
}

module "container" {
  source = "../_container"

  binds            = { for directory in var.dashboards_directory[*] : local.dashboards_path => directory }
  command          = []
  env              = [for key, value in local.settings_by_variable : "${key}=${value}"]
  environment      = var.environment
  grace_seconds    = 30
  health           = { command = local.health_command, holds = false }
  image_id         = docker_image.grafana.image_id
  memory_mebibytes = var.memory_mebibytes
  port             = local.port
  publish          = var.publish
  service          = "grafana"
  tmpfs_mebibytes  = { "/tmp" = 64 }
  user             = local.user
  wait_seconds     = var.wait_seconds

  volumes = {
    "/var/lib/grafana"   = { volume_name = docker_volume.data.id }
    (local.secrets_path) = { read_only = true, volume_name = module.secrets.volume }
  }
}

moved {
  from = docker_container.grafana
  to   = module.container.docker_container.container
}

moved {
  from = terraform_data.replaces_container
  to   = module.container.terraform_data.replaces_container
}
