output "containers" {
  description = "What is to run, as modules/sources takes it."
  value       = local.containers
}

output "scrape_jobs" {
  description = "What Prometheus scrapes, as modules/prometheus takes it."
  value = {
    memcached = { targets = [{ address = "memcached-exporter:9150", labels = { instance = var.instance } }] }
  }
}
