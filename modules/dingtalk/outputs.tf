output "about_delivery" {
  description = "Name of the contact point that bypasses the relay, for alerts about delivery, null without one. Where the notification policy is not Lookout's, route lookout_about = \"delivery\" there."
  value       = one(grafana_contact_point.about_delivery[*].name)
}

output "contact_points" {
  description = "Name of each robot's contact point in Grafana."
  value       = { for robot, point in grafana_contact_point.robot : robot => point.name }
}

output "owns_policy" {
  description = "Whether the notification policy is Lookout's."
  value       = var.own_policy
}

output "timing" {
  description = "group_wait, group_interval and repeat_interval in seconds: what a message may wait, for whoever measures."
  value       = { for name in ["group_interval", "group_wait", "repeat_interval"] : name => local.seconds[name] }
}
