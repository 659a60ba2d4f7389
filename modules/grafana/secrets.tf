# The password goes in as a file in a volume of its own, so that `docker inspect` and /proc/1/environ
# show where it is and not what it is.

locals {
  secrets_path = "/lookout/secrets"
}

module "secrets" {
  source = "../_config_volume"

  environment = var.environment
  files = merge(
    { admin_password = var.admin_password },
    { for _ in var.dashboards_directory[*] : "provisioning/dashboards/lookout.yaml" => local.provisioning },
  )
  image_id         = docker_image.grafana.image_id
  image_volumes    = []
  memory_mebibytes = var.memory_mebibytes
  path             = local.secrets_path
  service          = "grafana"
  suffix           = "secrets"
  user             = local.user
}

moved {
  from = docker_volume.secrets
  to   = module.secrets.docker_volume.config
}

moved {
  from = docker_container.secrets_writer
  to   = module.secrets.docker_container.writer
}
