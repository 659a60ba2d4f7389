output "service" {
  description = "The container's id and name, whether it has its knobs, and its URL on the host (null where no port is published)."
  value = {
    container_id   = module.container.container.id
    container_name = module.container.container.name
    faults         = var.enable_faults
    url            = module.container.url
  }
}

output "target" {
  description = "A target as modules/prometheus takes it in scrape_jobs: the address inside the network, and the target's labels."
  value = {
    address = "exporter:${local.port}"
    labels  = { instance = var.instance }
  }
}
