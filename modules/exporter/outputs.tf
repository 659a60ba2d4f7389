output "service" {
  description = "The container's id and name, whether it has its knobs, and its URL on the host (null where no port is published)."
  value = {
    container_id   = docker_container.exporter.id
    container_name = docker_container.exporter.name
    faults         = var.enable_faults
    url            = var.publish == null ? null : "http://${local.host}:${var.publish.port}"
  }
}

output "target" {
  description = "A target as modules/prometheus takes it in scrape_jobs: the address inside the network, and the target's labels."
  value = {
    address = "exporter:${local.port}"
    labels  = { instance = var.instance }
  }

  # Whoever scrapes it, scrapes it once it runs.
  depends_on = [docker_container.exporter]
}
