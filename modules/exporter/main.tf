locals {
  port = 9100
}

resource "docker_image" "exporter" {
  name         = var.image
  keep_locally = true
}

module "container" {
  source = "../_container"

  command = concat(
    ["--listen=:${local.port}"],
    var.enable_faults ? ["--enable-faults"] : [],
    var.self_traffic > 0 ? ["--self-traffic=${var.self_traffic}"] : [],
  )
  entrypoint       = ["/bin/exporter"]
  env              = ["GOMAXPROCS=${var.max_procs}"]
  environment      = var.environment
  grace_seconds    = 15
  health           = { command = ["/bin/probe", "--hold=20s", "http://127.0.0.1:${local.port}/-/healthy"] }
  image_id         = docker_image.exporter.image_id
  memory_mebibytes = var.memory_mebibytes
  port             = local.port
  publish          = var.publish
  service          = "exporter"
}

moved {
  from = docker_container.exporter
  to   = module.container.docker_container.container
}

moved {
  from = terraform_data.replaces_container
  to   = module.container.terraform_data.replaces_container
}
