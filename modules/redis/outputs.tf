output "containers" {
  description = "What is to run, as modules/sources takes it."
  value       = local.containers
}

output "scrape_jobs" {
  description = "What Prometheus scrapes, as modules/prometheus takes it."
  value = {
    redis = { targets = [{ address = "redis-exporter:9121", labels = { instance = var.instance } }] }
  }
}
