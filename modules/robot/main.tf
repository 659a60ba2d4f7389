locals {
  port = 8060
}

resource "docker_image" "robot" {
  name         = var.image
  keep_locally = true
}

module "container" {
  source = "../_container"

  binds = { for directory in var.robots_directory[*] : "/robots" => directory }
  command = concat(
    var.robots_directory == null ? ["--access-token=${var.access_token}"] : ["--robots-file=/robots/robots.yaml"],
    ["--listen=:${local.port}", "--time-zone=${var.time_zone}"],
    # An empty one says that there are none; without the flag the program has its default.
    [for keyword in coalescelist(var.keywords, [""]) : "--keyword=${keyword}" if var.robots_directory == null],
  )
  entrypoint       = ["/bin/robot"]
  environment      = var.environment
  grace_seconds    = 15
  health           = { command = ["/bin/probe", "--hold=20s", "http://127.0.0.1:${local.port}/-/healthy"] }
  image_id         = docker_image.robot.image_id
  memory_mebibytes = var.memory_mebibytes
  port             = local.port
  publish          = var.publish
  service          = "robot"
}

moved {
  from = docker_container.robot
  to   = module.container.docker_container.container
}

moved {
  from = terraform_data.replaces_container
  to   = module.container.terraform_data.replaces_container
}
