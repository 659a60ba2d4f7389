output "console" {
  description = "The container's id and name, its URL on the host (null where no port is published), and the address links to it begin with."
  value = {
    container_id   = module.container.container.id
    container_name = module.container.container.name
    external_url   = local.external_url
    url            = module.container.url == null ? null : "${local.scheme}://${trimprefix(module.container.url, "http://")}"
  }
}

output "external_url" {
  description = "The address links to the console begin with, known while planning."
  value       = local.external_url
}

output "target" {
  description = "The console as a scrape target, for scrape_jobs of modules/prometheus."
  value = {
    address = "console:${local.port}"
    labels  = { instance = "console" }
  }
}
