# How a configuration reaches the relay without replacing it: the relay of the same image checks it,
# with its secrets and templates, in a container of its own; only then a second container carries it
# into the volume that the relay mounts read-only and watches. Secrets don't come this way: what
# Terraform carries stands in its plan and state.

locals {
  config_path  = "/etc/relay"
  secrets_path = "/secrets"

  files = merge(
    { "${local.config_path}/relay.yaml" = var.config },
    { for name, content in var.templates : "${local.config_path}/templates/${name}" => content },
  )
}

resource "docker_volume" "config" {
  name = "${var.name}-relay-config"

  labels {
    label = "lookout.environment"
    value = var.name
  }
}

resource "docker_container" "config_check" {
  name         = "${var.name}-relay-config-check"
  image        = docker_image.relay.image_id
  entrypoint   = ["/bin/relay"]
  command      = ["check", "${local.config_path}/relay.yaml"]
  attach       = true
  logs         = true
  must_run     = false
  restart      = "no"
  network_mode = "none"
  # Or Docker makes a volume without a name, as the image asks for one here.
  tmpfs = { "/var/lib/relay" = "rw,noexec,nosuid,nodev,size=1m" }

  user          = local.user
  group_add     = var.secrets_group_id == null ? [] : [tostring(var.secrets_group_id)]
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
    container_path = local.secrets_path
    host_path      = var.secrets_directory
    read_only      = true
  }

  lifecycle {
    postcondition {
      condition     = self.exit_code == 0
      error_message = "The relay refuses the configuration of ${var.name}-relay; the running one is untouched.\n\n${coalesce(trimspace(self.container_logs), "It said nothing, exit code ${self.exit_code}.")}"
    }
  }
}

# Never started: Docker copies uploads through mounted volumes into a container that only exists.
# It can't be read-only, which would refuse uploads into the volume as well.
resource "docker_container" "config_writer" {
  name         = "${var.name}-relay-config-writer"
  image        = docker_image.relay.image_id
  entrypoint   = ["/bin/relay"]
  command      = ["version"]
  start        = false
  must_run     = false
  restart      = "no"
  network_mode = "none"
  # Or Docker makes a volume without a name, as the image asks for one here.
  tmpfs = { "/var/lib/relay" = "rw,noexec,nosuid,nodev,size=1m" }

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
