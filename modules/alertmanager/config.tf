# The configuration from typed routes: amtool of the same image checks it; then it is written into the volume that the server
# mounts read-only; then the server is asked to reload it, and whether it did.

locals {
  config_path  = "/lookout/config"
  secrets_path = "/lookout/secrets"
  binds        = { for directory in var.secrets_directory[*] : (local.secrets_path) => directory }

  config = { for key, value in {
    global = { for key, value in {
      resolve_timeout         = "5m"
      smtp_auth_password_file = try("${local.secrets_path}/${var.email.auth_password_file}", null)
      smtp_auth_username      = try(var.email.auth_username, null)
      smtp_from               = try(var.email.from, null)
      smtp_require_tls        = try(var.email.require_tls, null)
      smtp_smarthost          = try(var.email.smarthost, null)
    } : key => value if value != null }
    inhibit_rules  = local.inhibitions
    receivers      = local.receivers
    route          = local.route
    time_intervals = length(var.mute_intervals) == 0 ? null : local.time_intervals
  } : key => value if value != null }

  files = { "alertmanager.yml" = yamlencode(local.config) }
}

module "config" {
  source = "../_config_volume"

  binds = local.binds
  check = {
    command = ["/bin/amtool", "check-config", "${local.config_path}/alertmanager.yml"]
    refusal = "amtool refuses the configuration of"
  }
  environment      = var.environment
  files            = local.files
  image_id         = docker_image.alertmanager.image_id
  image_volumes    = ["/alertmanager"]
  memory_mebibytes = var.memory_mebibytes
  path             = local.config_path
  service          = "alertmanager"
}

resource "terraform_data" "reload" {
  count = var.reload == "http" ? 1 : 0

  triggers_replace = [module.config.hash]

  provisioner "local-exec" {
    command = "sh '${path.module}/../_config_volume/reload.sh'"

    environment = {
      METRICS      = "alertmanager_config"
      SERVER       = "Alertmanager"
      SERVER_URL   = module.container.url
      WAIT_SECONDS = 60
    }
  }

  depends_on = [module.config, module.container]
}
