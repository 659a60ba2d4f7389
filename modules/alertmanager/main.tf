locals {
  port = 9093
  url  = "http://127.0.0.1:${local.port}"

  # In images built here one check keeps asking; others have amtool, which fails where the server does not answer.
  holds = can(regex("(^|/)lookout/alertmanager(:|@|$)", var.image))
  health_command = coalesce(var.health_command, local.holds
    ? ["/bin/probe", "--hold=20s", "${local.url}/-/healthy"]
    : ["/bin/amtool", "cluster", "show", "--alertmanager.url=${local.url}"]
  )

  # Gossip is off unless there are peers: by itself it would only open a port.
  cluster = var.cluster == null ? ["--cluster.listen-address="] : concat(
    ["--cluster.listen-address=${var.cluster.listen_address}"],
    var.cluster.advertise_address == null ? [] : ["--cluster.advertise-address=${var.cluster.advertise_address}"],
    [for peer in var.cluster.peers : "--cluster.peer=${peer}"],
  )
}

resource "docker_image" "alertmanager" {
  name         = var.image
  keep_locally = true
}

# Silences, and what was sent already: without it a restart would repeat every alert and end every silence.
resource "docker_volume" "data" {
  name = "${var.environment.name}-alertmanager-data"

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
    # A label that was added later must not cost silences.
    ignore_changes = [labels]
  }
}

module "container" {
  source = "../_container"

  binds = local.binds
  command = concat([
    "--config.file=${local.config_path}/alertmanager.yml",
    # How much of the silences and of what was sent a crash may cost; backups wait for it. Its default is 15 minutes.
    "--data.maintenance-interval=15s",
    "--data.retention=${var.retention}",
    "--storage.path=/alertmanager",
    "--web.listen-address=:${local.port}",
    "--web.route-prefix=/",
  ], local.cluster, var.external_url == null ? [] : ["--web.external-url=${var.external_url}"])
  # Where its port can't be reached to ask for a reload, a changed configuration takes a restart.
  env              = var.reload == "restart" ? ["LOOKOUT_CONFIGURATION=${module.config.hash}"] : []
  environment      = var.environment
  grace_seconds    = 30
  health           = { command = local.health_command, holds = local.holds }
  image_id         = docker_image.alertmanager.image_id
  memory_mebibytes = var.memory_mebibytes
  port             = local.port
  publish          = var.publish
  service          = "alertmanager"

  volumes = {
    "/alertmanager"     = { volume_name = docker_volume.data.id }
    (local.config_path) = { read_only = true, volume_name = module.config.volume }
  }
}
