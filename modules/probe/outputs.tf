output "containers" {
  description = "What is to run, as modules/sources takes it."
  value       = local.containers
}

output "scrape_jobs" {
  description = "What Prometheus scrapes, as modules/prometheus takes it: each target by way of the exporter."
  value = {
    probe = {
      interval = var.interval
      path     = "/probe"
      targets = [for name, target in local.targets : {
        address = "blackbox-exporter:9115"
        labels  = { __param_module = target.module, __param_target = target.target, instance = name }
      }]
    }
  }
}
