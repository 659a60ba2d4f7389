output "groups" {
  description = "Seconds between evaluations of each group that was written, and the pending period of each of its rules in seconds: what an alert may wait, for whoever measures."
  value = {
    for name, group in local.groups : name => {
      interval = group.interval_seconds
      pending  = { for alert in group.rules : alert => var.alerts.rules[alert].pending_seconds }
    }
  }
}
