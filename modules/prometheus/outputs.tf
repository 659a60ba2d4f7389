output "configuration" {
  description = "The configuration files by their path in the container, as promtool and the server read them."
  value       = local.files
}

output "server" {
  description = "What later stages need: the container's id and name, the URL inside the network, and the URL on the host (null where no port is published)."
  value = {
    container_id   = docker_container.prometheus.id
    container_name = docker_container.prometheus.name
    network_url    = "http://prometheus:${local.port}"
    url            = local.url
  }
}
