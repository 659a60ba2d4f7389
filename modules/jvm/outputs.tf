output "containers" {
  description = "What is to run, as modules/sources takes it."
  value       = local.containers
}

output "scrape_jobs" {
  description = "What Prometheus scrapes, as modules/prometheus takes it."
  value = {
    jvm = { targets = concat(
      [for name, address in var.targets : { address = address, labels = { instance = name } }],
      var.sample_image == null ? [] : [{ address = "jvm-sample:9404", labels = { instance = "jvm1" } }],
    ) }
  }
}
