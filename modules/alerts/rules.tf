# The rules as this environment runs them.

locals {
  # How a value and its threshold are written in a message. Prometheus' and Grafana's templates know the same functions.
  units = {
    bytes   = { function = "humanize1024", after = "B" }
    percent = { function = "humanizePercentage", after = "" }
    seconds = { function = "humanizeDuration", after = "" }
    short   = { function = "humanize", after = "" }
  }

  rules = {
    for entry in local.entries : entry.rule.alert => {
      uid     = entry.rule.uid
      file    = "${local.shown}/${entry.file}"
      group   = entry.group
      expr    = try(replace(entry.rule.expr, "[${entry.rule.window}]", "[${coalesce(local.overrides[entry.rule.alert].window, entry.rule.window)}]"), entry.rule.expr)
      compare = one(keys(entry.rule.threshold))
      # As it stands here 0 is a threshold, and null is none.
      threshold       = tonumber(try(coalesce(local.overrides[entry.rule.alert].threshold), values(entry.rule.threshold)[0]))
      pending         = try(coalesce(local.overrides[entry.rule.alert].pending), entry.rule.for, "0s")
      pending_seconds = local.seconds[try(coalesce(local.overrides[entry.rule.alert].pending), entry.rule.for, "0s")]
      keep_firing_for = try(entry.rule.keep_firing_for, null)
      paused          = try(tobool(coalesce(local.overrides[entry.rule.alert].paused)), false)
      unit            = try(entry.rule.unit, "short")
      no_data_state   = entry.rule.no_data_state
      exec_err_state  = entry.rule.exec_err_state
      severity        = try(coalesce(local.overrides[entry.rule.alert].severity), entry.rule.labels.severity)
      summary         = trimspace(entry.rule.annotations.summary)
      labels = merge(entry.rule.labels, local.labels_here, {
        lookout_env = var.environment
        severity    = try(coalesce(local.overrides[entry.rule.alert].severity), entry.rule.labels.severity)
      })
      annotations = merge(
        { for name, value in entry.rule.annotations : name => trimspace(value) if name != "runbook_url" },
        {
          # Words for the message: the numbers with their unit.
          threshold = "${one(keys(entry.rule.threshold)) == "above" ? ">" : "<"} {{ \"${tonumber(try(coalesce(local.overrides[entry.rule.alert].threshold), values(entry.rule.threshold)[0]))}\" | ${local.units[try(entry.rule.unit, "short")].function} }}${local.units[try(entry.rule.unit, "short")].after}"
          value     = "{{ $value | ${local.units[try(entry.rule.unit, "short")].function} }}${local.units[try(entry.rule.unit, "short")].after}"
        },
      )
      # A path is a link only where it is known what it is relative to. The console serves docs/runbooks.
      runbook = { for url in [entry.rule.annotations.runbook_url] :
        (startswith(url, "http") || local.runbooks != null ? "runbook_url" : "runbook") => (
          startswith(url, "http") || local.runbooks == null ? url :
          var.runbook_base_url != null ? "${local.runbooks}/${url}" :
          "${local.runbooks}/runbooks/${trimsuffix(trimprefix(url, "docs/runbooks/"), ".md")}"
        )
      }
      dashboard = try(entry.rule.panel.dashboard, null)
      panel     = try(tostring(entry.rule.panel.id), null)
    } if local.sound
  }

  runbooks = try(trimsuffix(coalesce(var.runbook_base_url, var.console_url), "/"), null)

  intervals = { for entry in local.groups : entry.group.name => lookup(local.intervals_here, entry.group.name, entry.group.interval) if local.sound }

  # The red lines that have to move, since the files have others.
  moved = { for name, rule in local.rules : name => rule if rule.dashboard != null && try(local.overrides[name].threshold, null) != null }
}
