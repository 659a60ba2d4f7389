output "containers" {
  description = "What is to run, as modules/sources takes it."
  value       = local.containers
}

output "push_url" {
  description = "Where batch jobs push to inside the network."
  value       = "http://pushgateway:9091"
}

output "scrape_jobs" {
  description = "What Prometheus scrapes, as modules/prometheus takes it. The labels job and instance are those that a batch job pushed."
  value = {
    pushgateway = { honor_labels = true, targets = [{ address = "pushgateway:9091", labels = { instance = var.instance } }] }
  }
}
