# The one place where a long-running container is written down: every service gets the same hardening, log limits, health
# check and labels, and differs only in what its module says.

locals {
  # 0.0.0.0 is where it listens, not where one can ask.
  host = var.publish == null ? null : contains(["0.0.0.0", "::"], var.publish.ip) ? "127.0.0.1" : strcontains(var.publish.ip, ":") ? "[${var.publish.ip}]" : var.publish.ip

  # A check that holds keeps asking for 20 s once the service has answered: starting a check costs more than asking. Images
  # that were not built here have nothing that could, and are asked every 5 s.
  healthcheck = var.health == null ? null : {
    interval     = var.health.holds ? "1s" : "5s"
    retries      = 3
    start_period = "45s"
    test         = concat(["CMD"], var.health.command)
    timeout      = var.health.holds ? "30s" : "10s"
  }

  # Uploads and the engine give a tmpfs the mode of the folder below it; see the images' own /tmp.
  tmpfs = { for path, mebibytes in var.tmpfs_mebibytes : path => "rw,noexec,nosuid,nodev,size=${mebibytes}m" }

  labels = { for label, value in {
    "lookout.environment" = var.environment.name
    "lookout.service"     = var.service
    "lookout.stack"       = var.environment.stack
  } : label => value if value != null }
}

# The provider plans a change of these in place and then does not make it.
resource "terraform_data" "replaces_container" {
  input = { healthcheck = local.healthcheck, tmpfs = local.tmpfs }
}

resource "docker_container" "container" {
  name                  = "${var.environment.name}-${var.service}"
  image                 = var.image_id
  entrypoint            = var.entrypoint
  command               = var.command
  env                   = var.env
  restart               = "unless-stopped"
  wait                  = var.health != null
  wait_timeout          = var.wait_seconds
  destroy_grace_seconds = var.grace_seconds

  user          = var.user
  group_add     = var.group_add
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

  dynamic "healthcheck" {
    for_each = local.healthcheck[*]

    content {
      interval     = healthcheck.value.interval
      retries      = healthcheck.value.retries
      start_period = healthcheck.value.start_period
      test         = healthcheck.value.test
      timeout      = healthcheck.value.timeout
    }
  }

  dynamic "host" {
    for_each = var.hosts

    content {
      host = host.key
      ip   = host.value
    }
  }

  dynamic "labels" {
    for_each = local.labels

    content {
      label = labels.key
      value = labels.value
    }
  }

  networks_advanced {
    name    = var.environment.network.id
    aliases = [var.service]
  }

  dynamic "ports" {
    for_each = var.publish[*]

    content {
      internal = var.port
      external = ports.value.port
      ip       = ports.value.ip
    }
  }

  dynamic "mounts" {
    for_each = var.binds

    content {
      type      = "bind"
      source    = mounts.value
      target    = mounts.key
      read_only = true
    }
  }

  dynamic "volumes" {
    for_each = var.volumes

    content {
      container_path = volumes.key
      read_only      = volumes.value.read_only
      volume_name    = volumes.value.volume_name
    }
  }

  lifecycle {
    replace_triggered_by = [terraform_data.replaces_container]
  }
}
