output "groups" {
  description = "Seconds between evaluations of each group that was written, and the pending period of each of its rules in seconds: what an alert may wait, for whoever measures."
  value = {
    for name, alerts in local.order : name => {
      interval = local.intervals[local.rules[alerts[0]].group][0]
      pending  = { for alert in alerts : alert => local.rules[alert].pending }
    }
  }
}

output "panel_thresholds" {
  description = "Thresholds that differ from the rule files, by dashboard uid and panel id: the red lines that `modules/dashboards` has to move. Known while planning."
  value = {
    for dashboard in distinct([for rule in values(local.rules) : rule.dashboard if rule.dashboard != null && rule.overridden]) : dashboard => {
      for rule in values(local.rules) : rule.panel => rule.threshold if rule.dashboard == dashboard && rule.overridden
    }
  }
}

output "rules" {
  description = "Every rule by alert name: where it comes from, how bad it is, what it says, whether it is paused and what it compares with. Read from the files, so known while planning."
  value = {
    for name, rule in local.rules : name => {
      file      = rule.file
      group     = rule.group
      paused    = rule.paused
      severity  = rule.severity
      summary   = rule.summary
      threshold = rule.threshold
      uid       = rule.uid
    }
  }

  precondition {
    condition     = local.sound
    error_message = "The alert rules can't be applied as they are:\n${join("\n", [for finding in local.findings : "- ${finding}"])}"
  }
}
