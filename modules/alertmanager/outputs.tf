output "address" {
  description = "Where Prometheus sends alerts to, inside the network. It waits for nothing: a configuration that is refused here must not leave a Prometheus that is being replaced half done."
  value       = "alertmanager:${local.port}"
}

output "configuration" {
  description = "The configuration files by their path in the container, as amtool and the server read them."
  value       = { for file, content in local.files : "${local.config_path}/${file}" => content }
}

output "server" {
  description = "What later stages need: the container's id and name, the URL inside the network, and the URL on the host (null where no port is published)."
  value = {
    container_id   = module.container.container.id
    container_name = module.container.container.name
    network_url    = "http://alertmanager:${local.port}"
    url            = module.container.url
  }
}

output "target" {
  description = "Alertmanager as a scrape target, for scrape_jobs of modules/prometheus."
  value = {
    address = "alertmanager:${local.port}"
    labels  = { instance = "alertmanager" }
  }
}

output "timing" {
  description = "Durations that a message may wait in Alertmanager before and between deliveries."
  value       = var.timing
}
