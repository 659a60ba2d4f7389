output "about_delivery" {
  description = "Name of the contact point that bypasses the relay, for alerts about delivery; null without one."
  value       = one(module.dingtalk[*].about_delivery)
}

output "alerts" {
  description = "The rules as this environment has them: see modules/alerts."
  value       = module.alerts.alerts
}

output "contact_points" {
  description = "Name of each robot's contact point; empty where Alertmanager notifies."
  value       = try(module.dingtalk[0].contact_points, {})
}

output "dashboards" {
  description = "Address of every dashboard by uid."
  value       = module.dashboards.urls
}

output "timing" {
  description = "Seconds that a message may wait in Grafana before and between deliveries; null where Alertmanager notifies."
  value       = one(module.dingtalk[*].timing)
}
