# The password goes in as a file in a volume of its own, so that `docker inspect` and /proc/1/environ
# show where it is and not what it is.

locals {
  secrets_path = "/lookout/secrets"
}

resource "docker_volume" "secrets" {
  name = "${var.name}-grafana-secrets"

  labels {
    label = "lookout.environment"
    value = var.name
  }
}

# Never started: Docker copies uploads through mounted volumes into a container that only exists.
# It can't be read-only, which would refuse uploads into the volume as well.
resource "docker_container" "secrets_writer" {
  name         = "${var.name}-grafana-secrets-writer"
  image        = docker_image.grafana.image_id
  start        = false
  must_run     = false
  restart      = "no"
  network_mode = "none"

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

  upload {
    content = var.admin_password
    file    = "${local.secrets_path}/admin_password"
    # Owned by root whatever one asks for, so the server can only read it as one of the others.
    permissions = "0444"
  }

  dynamic "upload" {
    for_each = var.dashboards_directory[*]

    content {
      content     = local.provisioning
      file        = "${local.provisioning_path}/dashboards/lookout.yaml"
      permissions = "0444"
    }
  }

  volumes {
    container_path = local.secrets_path
    # The id and not the name: it is unknown while the volume is being made again, so that a lost
    # volume is filled again too.
    volume_name = docker_volume.secrets.id
  }
}
