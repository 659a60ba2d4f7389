output "contact_points" {
  description = "Name of each robot's contact point."
  value       = module.dingtalk.contact_points
}

output "dashboards" {
  description = "Address of every dashboard by uid."
  value       = module.dashboards.urls
}

output "timing" {
  description = "Seconds that a message may wait in Grafana before and between deliveries."
  value       = module.dingtalk.timing
}
