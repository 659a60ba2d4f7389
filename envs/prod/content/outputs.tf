output "about_delivery" {
  description = "Name of the contact point that bypasses the relay, for alerts about delivery; null without one."
  value       = module.content.about_delivery
}

output "contact_points" {
  description = "Name of each robot's contact point; empty where Alertmanager notifies."
  value       = module.content.contact_points
}

output "dashboards" {
  description = "Address of every dashboard by uid."
  value       = module.content.dashboards
}

output "timing" {
  description = "Seconds that a message may wait in Grafana before and between deliveries; null where Alertmanager notifies."
  value       = module.content.timing
}
