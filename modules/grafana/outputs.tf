output "server" {
  description = "What later stages and people need: the container's id and name, the URL inside the network and on the host, the address links begin with, and the administrator's name."
  value = {
    admin_user     = "admin"
    container_id   = module.container.container.id
    container_name = module.container.container.name
    network_url    = "http://grafana:${local.port}"
    root_url       = local.root_url
    url            = module.container.url
  }
}

output "target" {
  description = "Grafana as a scrape target, for scrape_jobs of modules/prometheus."
  value = {
    address = "grafana:${local.port}"
    labels  = { instance = "grafana" }
  }
}
