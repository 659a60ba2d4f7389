output "dashboards" {
  description = "Address of every dashboard by uid."
  value       = module.dashboards.urls
}
