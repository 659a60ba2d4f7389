# The relay of the same image checks a configuration, with its secrets and templates, before it reaches the volume that the
# running relay mounts read-only and watches. Secrets don't come this way: what Terraform carries stands in its plan and state.

locals {
  config_path  = "/etc/relay"
  secrets_path = "/secrets"
  answers = concat(
    [for silences in var.answers.silences[*] : "--answers-silences=${silences}"],
    [for url in var.answers.url[*] : "--answers-url=${url}"],
  )
  groups = [for group in var.secrets_group_id[*] : tostring(group)]
}

module "config" {
  source = "../_config_volume"

  binds = { (local.secrets_path) = var.secrets_directory }
  check = {
    command = concat(["/bin/relay", "check"], local.answers, ["${local.config_path}/relay.yaml"])
    refusal = "The relay refuses the configuration of"
  }
  environment      = var.environment
  files            = merge({ "relay.yaml" = var.config }, { for name, content in var.templates : "templates/${name}" => content })
  group_add        = local.groups
  image_id         = docker_image.relay.image_id
  image_volumes    = ["/var/lib/relay"]
  memory_mebibytes = var.memory_mebibytes
  path             = local.config_path
  service          = local.service
}

moved {
  from = docker_volume.config
  to   = module.config.docker_volume.config
}

moved {
  from = docker_container.config_check
  to   = module.config.docker_container.check[0]
}

moved {
  from = docker_container.config_writer
  to   = module.config.docker_container.writer
}
