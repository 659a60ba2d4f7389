output "relay" {
  description = "The container's id and name, the address contact points send to inside the network, and the page on the host (null where no port is published)."
  value = {
    container_id   = module.container.container.id
    container_name = module.container.container.name
    network_url    = "http://${local.service}:${local.port}"
    url            = module.container.url
  }
}

output "target" {
  description = "The relay as a scrape target, on the listener that senders do not share, for scrape_jobs of modules/prometheus; the job is called \"relay\" by the dashboard and the rules about it."
  value = {
    address = "${local.service}:${local.health_port}"
    labels  = { instance = "relay${var.replica}" }
  }
}
