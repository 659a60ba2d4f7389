# The rules in Prometheus' own form, a file per topic. `lookout rules export` writes the same, and a test compares them.

locals {
  rule_files = {
    for file in local.files : file => yamlencode({
      groups = [
        for entry in local.groups : {
          name     = entry.group.name
          interval = local.intervals[entry.group.name]
          rules = [
            for name in [for rule in entry.group.rules : rule.alert] : merge(
              {
                alert = name
                # On a line of its own the bracket is safe from a comment at the end of the expression. A comparison drops NaN
                # (no requests: 0 / 0) by itself.
                expr        = "(${local.rules[name].expr}${strcontains(local.rules[name].expr, "#") ? "\n" : ""}) ${local.rules[name].compare == "above" ? ">" : "<"} ${local.rules[name].threshold}"
                labels      = local.rules[name].labels
                annotations = merge(local.rules[name].annotations, local.rules[name].runbook, local.links[name])
              },
              local.rules[name].pending_seconds == 0 ? {} : { "for" = local.rules[name].pending },
              local.rules[name].keep_firing_for == null ? {} : { keep_firing_for = local.rules[name].keep_firing_for },
            ) if !local.rules[name].paused
          ]
        } if entry.file == file && anytrue([for rule in entry.group.rules : !local.rules[rule.alert].paused])
      ]
    }) if local.sound && anytrue([for rule in values(local.rules) : !rule.paused if rule.file == "${local.shown}/${file}"])
  }

  # A panel shows what its variables choose: those of the alert, where it has them.
  links = {
    for name, rule in local.rules : name => var.console_url == null || rule.dashboard == null ? {} : {
      dashboard_url = "${trimsuffix(coalesce(var.console_url, "-"), "/")}/d/${rule.dashboard}"
      panel_url     = "${trimsuffix(coalesce(var.console_url, "-"), "/")}/d/${rule.dashboard}?viewPanel=${rule.panel}{{ with $labels.job }}&var-job={{ . | urlquery }}{{ end }}{{ with $labels.instance }}&var-instance={{ . | urlquery }}{{ end }}"
    }
  }
}
