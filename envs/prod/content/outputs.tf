output "about_delivery" {
  description = "Name of the contact point beside the relay, for alerts about delivery; null without one."
  value       = module.dingtalk.about_delivery
}

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
