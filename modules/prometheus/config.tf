# How a configuration reaches the server without replacing it: promtool of the same image checks it
# in a container of its own; only then a second container carries it into the volume that the server
# mounts read-only; then the server is told to read it again, and asked whether it did.

locals {
  config_path = "/lookout/config"

  config = {
    global = { for key, value in {
      evaluation_interval = var.evaluation_interval
      external_labels     = length(var.external_labels) == 0 ? null : var.external_labels
      scrape_interval     = var.scrape_interval
    } : key => value if value != null }
    rule_files     = [for file in keys(local.rule_files) : "${local.config_path}/rules/${file}"]
    scrape_configs = concat(local.scrape_configs, [local.self_scrape_config])
    # In the file and not in flags, since flags only change with a restart.
    storage = { tsdb = { retention = { for key, value in var.retention : key => value if value != null } } }
  }

  files = merge(
    { "${local.config_path}/prometheus.yml" = yamlencode(local.config) },
    { for file, content in local.rule_files : "${local.config_path}/rules/${file}" => content },
  )

  # The host's side of what the server and promtool both have to see: promtool refuses a
  # configuration whose credentials or certificates are not there.
  host_mounts = { for path, host in {
    (local.secrets_path)   = var.secrets_directory
    (local.targets_path)   = var.targets_directory
    "/var/run/docker.sock" = try(var.docker_socket.path, null)
  } : path => host if host != null }
}

resource "docker_volume" "config" {
  name = "${var.name}-prometheus-config"

  labels {
    label = "lookout.environment"
    value = var.name
  }
}

resource "docker_container" "config_check" {
  name         = "${var.name}-prometheus-config-check"
  image        = docker_image.prometheus.image_id
  entrypoint   = ["/bin/promtool"]
  command      = ["check", "config", "${local.config_path}/prometheus.yml"]
  attach       = true
  logs         = true
  must_run     = false
  restart      = "no"
  network_mode = "none"
  # Or Docker makes a volume without a name, as the image asks for one here.
  tmpfs = { "/prometheus" = "rw,noexec,nosuid,nodev,size=1m" }

  user          = local.user
  memory        = var.memory_mebibytes
  memory_swap   = var.memory_mebibytes
  security_opts = ["no-new-privileges:true"]

  capabilities {
    drop = ["ALL"]
  }

  labels {
    label = "lookout.environment"
    value = var.name
  }

  dynamic "upload" {
    for_each = local.files

    content {
      content = upload.value
      file    = upload.key
    }
  }

  dynamic "volumes" {
    for_each = { for path, host in local.host_mounts : path => host if path != "/var/run/docker.sock" }

    content {
      container_path = volumes.key
      host_path      = volumes.value
      read_only      = true
    }
  }

  lifecycle {
    postcondition {
      condition     = self.exit_code == 0
      error_message = "promtool refuses the configuration of ${var.name}-prometheus; the running one is untouched.\n\n${coalesce(trimspace(self.container_logs), "promtool said nothing, exit code ${self.exit_code}.")}"
    }
  }
}

# Never started: Docker copies uploads through mounted volumes into a container that only exists.
# It can't be read-only, which would refuse uploads into the volume as well.
resource "docker_container" "config_writer" {
  name         = "${var.name}-prometheus-config-writer"
  image        = docker_image.prometheus.image_id
  entrypoint   = ["/bin/promtool"]
  command      = ["--version"]
  start        = false
  must_run     = false
  restart      = "no"
  network_mode = "none"
  # Or Docker makes a volume without a name, as the image asks for one here.
  tmpfs = { "/prometheus" = "rw,noexec,nosuid,nodev,size=1m" }

  user          = local.user
  memory        = var.memory_mebibytes
  memory_swap   = var.memory_mebibytes
  security_opts = ["no-new-privileges:true"]

  capabilities {
    drop = ["ALL"]
  }

  labels {
    label = "lookout.environment"
    value = var.name
  }

  dynamic "upload" {
    for_each = local.files

    content {
      content = upload.value
      file    = upload.key
    }
  }

  volumes {
    container_path = local.config_path
    # The id and not the name: it is unknown while the volume is being made again, so that a lost
    # volume is filled again too.
    volume_name = docker_volume.config.id
  }

  depends_on = [docker_container.config_check]
}

resource "terraform_data" "reload" {
  count = var.reload == "http" ? 1 : 0

  triggers_replace = [sha256(jsonencode(local.files))]

  provisioner "local-exec" {
    command = "sh '${path.module}/reload.sh'"

    environment = {
      PROMETHEUS_URL = local.url
      WAIT_SECONDS   = var.wait_seconds
    }
  }

  depends_on = [docker_container.config_writer, docker_container.prometheus]
}
