output "alerts" {
  description = "The rules of this environment, known while planning. `rules`: every rule by alert name, thresholds, pending periods and severities resolved, texts as templates that both engines understand. `groups`: seconds between evaluations and the names of the rules, in their order. `rule_files`: the standard Prometheus rule file of each topic by file name, without paused alerts. `panel_thresholds`: by dashboard uid and panel id, the red lines that differ from the dashboards' files."
  value = {
    rules      = local.rules
    rule_files = local.rule_files
    groups = {
      for entry in local.groups : entry.group.name => {
        interval_seconds = local.seconds[local.intervals[entry.group.name]]
        rules            = [for rule in entry.group.rules : rule.alert]
      } if local.sound
    }
    panel_thresholds = {
      for dashboard in distinct([for rule in values(local.moved) : rule.dashboard]) : dashboard => {
        for panel, thresholds in { for rule in values(local.moved) : rule.panel => rule.threshold... if rule.dashboard == dashboard } : panel => thresholds[0]
      }
    }
  }

  # Everything that is made from the rules takes this output, so nothing of it is planned when this fails.
  precondition {
    condition     = local.sound
    error_message = "The alert rules can't be applied as they are:\n${join("\n", [for finding in local.findings : "- ${finding}"])}"
  }
}
