locals {
  # As Prometheus spells a Docker label.
  label = "__meta_docker_container_label_${replace(var.label, "/[^a-zA-Z0-9_]/", "_")}"
}

output "containers" {
  description = "What is to run, as modules/sources takes it."
  value       = local.containers
}

output "scrape_jobs" {
  description = "What Prometheus scrapes, as modules/prometheus takes it: every container of the network with the label."
  value = {
    discovered = {
      docker = [{ host = "tcp://discovery:2375", refresh_interval = var.refresh_interval }]
      relabelings = [
        # Prometheus lists a container once for each network and port.
        { action = "keep", source_labels = ["__meta_docker_network_name"], regex = var.network },
        { source_labels = ["__meta_docker_network_ip", "${local.label}_port"], separator = ":", regex = "(.+):([0-9]+)", target_label = "__address__", replacement = "$1:$2" },
        { source_labels = ["${local.label}_path"], regex = "(/.*)", target_label = "__metrics_path__" },
        { source_labels = ["${local.label}_job"], regex = "(.+)", target_label = "job" },
        { source_labels = ["__meta_docker_container_name"], regex = "/?(.+)", target_label = "instance" },
      ]
    }
  }
}
