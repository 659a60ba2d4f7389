output "containers" {
  description = "What is to run, as modules/sources takes it."
  value       = local.containers
}

output "scrape_jobs" {
  description = "What Prometheus scrapes, as modules/prometheus takes it."
  value = {
    mysql = { targets = [{ address = "mysql-exporter:9104", labels = { instance = var.instance } }] }
  }
}
