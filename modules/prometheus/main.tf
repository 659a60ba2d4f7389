locals {
  port = 9090

  # In images built here one check keeps asking; other images have nothing that could.
  holds = var.health_command == null && can(regex("(^|/)lookout/prometheus(:|@|$)", var.image))
  health_command = coalesce(var.health_command, local.holds
    ? ["/bin/probe", "--hold=20s", "http://127.0.0.1:${local.port}/-/healthy"]
    : ["/bin/promtool", "check", "healthy", "--url=http://127.0.0.1:${local.port}"]
  )
}

resource "docker_image" "prometheus" {
  name         = var.image
  keep_locally = true
}

resource "docker_volume" "data" {
  name = "${var.environment.name}-prometheus-data"

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
    # A label that was added later must not cost series.
    ignore_changes = [labels]
  }
}

module "container" {
  source = "../_container"

  binds = local.binds
  command = concat([
    "--config.file=${local.config_path}/prometheus.yml",
    "--enable-feature=exemplar-storage",
    # An Alertmanager takes an alert for firing until four times this, or four times the rule's interval if that is longer,
    # after it came last: long enough for a restart, and the heartbeat of a Prometheus that is gone ends soon after.
    "--rules.alert.resend-delay=20s",
    "--storage.tsdb.path=/prometheus",
    "--web.enable-lifecycle",
    "--web.listen-address=:${local.port}",
    ], var.external_url == null ? [] : ["--web.external-url=${var.external_url}", "--web.route-prefix=/"],
    var.admin_api ? ["--web.enable-admin-api"] : [],
  var.reload == "watch" ? ["--config.auto-reload", "--config.auto-reload-interval=5s"] : [])
  environment      = var.environment
  grace_seconds    = 30
  group_add        = var.docker_socket == null ? [] : [tostring(var.docker_socket.group_id)]
  health           = { command = local.health_command, holds = local.holds }
  hosts            = { "host.docker.internal" = "host-gateway" }
  image_id         = docker_image.prometheus.image_id
  memory_mebibytes = var.memory_mebibytes
  port             = local.port
  publish          = var.publish
  service          = "prometheus"
  wait_seconds     = var.wait_seconds

  volumes = {
    (local.config_path) = { read_only = true, volume_name = module.config.volume }
    "/prometheus"       = { volume_name = docker_volume.data.id }
  }
}

moved {
  from = docker_container.prometheus
  to   = module.container.docker_container.container
}

moved {
  from = terraform_data.replaces_container
  to   = module.container.terraform_data.replaces_container
}
