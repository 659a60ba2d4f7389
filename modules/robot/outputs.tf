output "robot" {
  description = "The container's id and name, the address a contact point or relay sends to inside the network (with its access_token), and the page on the host (null where no port is published)."
  value = {
    container_id   = module.container.container.id
    container_name = module.container.container.name
    network_url    = "http://robot:${local.port}/robot/send?access_token=${var.access_token}"
    url            = module.container.url
  }
}
