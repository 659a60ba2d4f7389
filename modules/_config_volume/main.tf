# How files reach a server without replacing it: a program of the same image checks them in a container of its own; only then
# a second container carries them into the volume that the server mounts read-only. Telling the server is its module's part.

locals {
  labels = { for label, value in {
    "lookout.environment" = var.environment.name
    "lookout.service"     = var.service
    "lookout.stack"       = var.environment.stack
  } : label => value if value != null }

  # Or Docker makes a volume without a name wherever the image asks for one.
  tmpfs = { for path in var.image_volumes : path => "rw,noexec,nosuid,nodev,size=1m" }
}

resource "docker_volume" "config" {
  name = "${var.environment.name}-${var.service}-${var.suffix}"

  dynamic "labels" {
    for_each = local.labels

    content {
      label = labels.key
      value = labels.value
    }
  }

  lifecycle {
    # A label that was added later must not replace a volume.
    ignore_changes = [labels]
  }
}

resource "docker_container" "check" {
  count = var.check == null ? 0 : 1

  name         = "${var.environment.name}-${var.service}-${var.suffix}-check"
  image        = var.image_id
  entrypoint   = [var.check.command[0]]
  command      = slice(var.check.command, 1, length(var.check.command))
  attach       = true
  logs         = true
  must_run     = false
  restart      = "no"
  network_mode = "none"
  tmpfs        = local.tmpfs

  user          = var.user
  group_add     = var.group_add
  memory        = var.memory_mebibytes
  memory_swap   = var.memory_mebibytes
  security_opts = ["no-new-privileges:true"]

  capabilities {
    drop = ["ALL"]
  }

  dynamic "labels" {
    for_each = local.labels

    content {
      label = labels.key
      value = labels.value
    }
  }

  dynamic "upload" {
    for_each = var.files

    content {
      content     = upload.value
      file        = "${var.path}/${upload.key}"
      permissions = "0444"
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

  lifecycle {
    postcondition {
      condition     = self.exit_code == 0
      error_message = "${var.check.refusal} ${var.environment.name}-${var.service}; the running one is untouched.\n\n${coalesce(trimspace(self.container_logs), "The check said nothing, exit code ${self.exit_code}.")}"
    }
  }
}

# Never started: Docker copies uploads through mounted volumes into a container that only exists.
# It can't be read-only, which would refuse uploads into the volume as well.
resource "docker_container" "writer" {
  name         = "${var.environment.name}-${var.service}-${var.suffix}-writer"
  image        = var.image_id
  start        = false
  must_run     = false
  restart      = "no"
  network_mode = "none"
  tmpfs        = local.tmpfs

  user          = var.user
  memory        = var.memory_mebibytes
  memory_swap   = var.memory_mebibytes
  security_opts = ["no-new-privileges:true"]

  capabilities {
    drop = ["ALL"]
  }

  dynamic "labels" {
    for_each = local.labels

    content {
      label = labels.key
      value = labels.value
    }
  }

  dynamic "upload" {
    for_each = var.files

    content {
      content = upload.value
      file    = "${var.path}/${upload.key}"
      # Owned by root whatever one asks for, so the server can only read it as one of the others.
      permissions = "0444"
    }
  }

  dynamic "upload" {
    for_each = var.sources

    content {
      file        = "${var.path}/${upload.key}"
      permissions = "0444"
      source      = upload.value
      source_hash = filesha256(upload.value)
    }
  }

  volumes {
    container_path = var.path
    # The id and not the name: it is unknown while the volume is being made again, so that a lost
    # volume is filled again too.
    volume_name = docker_volume.config.id
  }

  depends_on = [docker_container.check]
}
