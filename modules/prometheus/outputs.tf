output "configuration" {
  description = "The configuration files by their path in the container, as promtool and the server read them."
  value       = { for file, content in local.files : "${local.config_path}/${file}" => content }
}

output "server" {
  description = "What later stages need: the container's id and name, the URL inside the network, and the URL on the host (null where no port is published)."
  value = {
    container_id   = module.container.container.id
    container_name = module.container.container.name
    network_url    = "http://prometheus:${local.port}"
    url            = module.container.url
  }
}
