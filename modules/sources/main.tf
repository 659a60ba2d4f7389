# Runs the containers of sources: exporters, and in local the samples that they watch. Each source is a module that only says what
# to run, so that an environment that has none of them pays for none.

locals {
  built = { for name, container in var.containers : name => can(regex("(^|/)lookout/", container.image)) }

  # A container that answers over HTTP is asked by /bin/probe in images that were built here, by wget in published ones.
  health = { for name, container in var.containers : name => (
    container.health_path == null ? (container.health == null ? null : { command = container.health, holds = false }) :
    local.built[name] ? { command = ["/bin/probe", "--hold=20s", "http://127.0.0.1:${container.health_port}${container.health_path}"], holds = true } :
    { command = ["wget", "-q", "-O", "/dev/null", "http://127.0.0.1:${container.health_port}${container.health_path}"], holds = false }
  ) }
}

resource "docker_image" "source" {
  for_each = toset([for container in values(var.containers) : container.image])

  name         = each.value
  keep_locally = true
}

resource "docker_volume" "data" {
  for_each = { for name, container in var.containers : name => container.data_path if container.data_path != null }

  name = "${var.environment.name}-${each.key}-data"

  dynamic "labels" {
    for_each = { for label, value in { "lookout.environment" = var.environment.name, "lookout.stack" = var.environment.stack } : label => value if value != null }

    content {
      label = labels.key
      value = labels.value
    }
  }

  lifecycle {
    ignore_changes = [labels]
  }
}

module "config" {
  source   = "../_config_volume"
  for_each = { for name, container in var.containers : name => container if container.config_path != null }

  environment      = var.environment
  files            = each.value.files
  image_id         = docker_image.source[each.value.image].image_id
  memory_mebibytes = 64
  path             = each.value.config_path
  service          = each.key
}

module "container" {
  source   = "../_container"
  for_each = var.containers

  binds      = each.value.binds
  command    = each.value.command
  entrypoint = each.value.entrypoint
  # Other files mean another container: these programs read theirs when they start.
  env              = setunion(each.value.env, each.value.config_path == null ? [] : ["FILES=${sha256(jsonencode(each.value.files))}"])
  environment      = var.environment
  grace_seconds    = 10
  group_add        = each.value.group_add
  health           = local.health[each.key]
  image_id         = docker_image.source[each.value.image].image_id
  memory_mebibytes = each.value.memory_mebibytes
  port             = each.value.port
  service          = each.key
  user             = each.value.user
  volumes = merge(
    each.value.data_path == null ? {} : { (coalesce(each.value.data_path, "-")) = { read_only = false, volume_name = docker_volume.data[each.key].id } },
    each.value.config_path == null ? {} : { (coalesce(each.value.config_path, "-")) = { read_only = true, volume_name = module.config[each.key].volume } },
  )
  wait_seconds = 120
}
