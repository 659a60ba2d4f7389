locals {
  # How a value and its threshold are written in a message. Prometheus' and Grafana's templates know the same functions.
  units = {
    bytes   = { before = "", function = "humanize1024", after = "B" }
    percent = { before = "", function = "humanizePercentage", after = "" }
    seconds = { before = "", function = "humanizeDuration", after = "" }
    short   = { before = "", function = "humanize", after = "" }
  }

  seconds_in = { ms = 0.001, s = 1, m = 60, h = 3600, d = 86400, w = 604800, y = 31536000 }

  intervals = {
    for entry in local.groups : try(tostring(entry.group.name), "") => try(sum([
      for part in regexall("([0-9]+)(ms|s|m|h|d|w|y)", lookup(var.intervals, entry.group.name, entry.group.interval)) : part[0] * local.seconds_in[part[1]]
    ]), 0)...
  }
}

locals {
  # Grafana calls Prometheus' $value something else: $values.B.Value, which doesn't exist where there is no data. The
  # text of the rule stays as it was written; this goes before it.
  value_of_b = "{{- $value := \"NaN\" -}}{{- with $values.B -}}{{- $value = .Value -}}{{- end -}}"

  rules = {
    for entry in local.entries : entry.rule.alert => {
      uid     = entry.rule.uid
      file    = "${local.shown}/${entry.file}"
      group   = entry.group
      expr    = try(replace(entry.rule.expr, "[${entry.rule.window}]", "[${coalesce(var.overrides[entry.rule.alert].window, entry.rule.window)}]"), entry.rule.expr)
      compare = keys(entry.rule.threshold)[0]
      # As it stands here 0 is a threshold, and null is none.
      threshold  = tonumber(try(coalesce(var.overrides[entry.rule.alert].threshold), values(entry.rule.threshold)[0]))
      overridden = try(var.overrides[entry.rule.alert].threshold, null) != null
      pending = sum(concat([0], [
        for part in regexall("([0-9]+)(ms|s|m|h|d|w|y)", try(coalesce(var.overrides[entry.rule.alert].pending), entry.rule.for, "0s")) : part[0] * local.seconds_in[part[1]]
      ]))
      paused          = try(var.overrides[entry.rule.alert].paused, false)
      keep_firing_for = try(entry.rule.keep_firing_for, null)
      unit            = try(entry.rule.unit, "short")
      no_data_state   = entry.rule.no_data_state
      exec_err_state  = entry.rule.exec_err_state
      severity        = entry.rule.labels.severity
      summary         = entry.rule.annotations.summary
      labels          = { for name, value in entry.rule.labels : name => tostring(value) }
      annotations     = { for name, value in entry.rule.annotations : name => trimspace(value) }
      # A path is a link only where it is known what it is relative to.
      runbook = { for url in [entry.rule.annotations.runbook_url] :
        (startswith(url, "http") || var.runbook_base_url != null ? "runbook_url" : "runbook") =>
        startswith(url, "http") || var.runbook_base_url == null ? url : "${trimsuffix(coalesce(var.runbook_base_url, "-"), "/")}/${url}"
      }
      dashboard = try(entry.rule.panel.dashboard, null)
      panel     = try(tostring(entry.rule.panel.id), null)
    } if local.sound
  }

  # What this Grafana can do, as one comparable number: 11.5.2 is 11005002.
  grafana = sum([for index, part in regexall("[0-9]+", var.grafana_version) : part * [1000000, 1000, 1][index] if index < 3])

  # Before 11.5.2 a group can't be written with new rules that have a uid. Such a Grafana chooses the uids, and the
  # provider knows them by their place in the group: an inserted rule would take over the alerts of its neighbour. With
  # one rule in each group nobody has neighbours, and a rule keeps its uid for as long as its name.
  takes_uids = local.grafana >= 11005002

  order = local.takes_uids ? {
    for entry in local.groups : entry.group.name => [for rule in entry.group.rules : rule.alert] if local.sound
    } : {
    for name, rule in local.rules : name => [name]
  }
}

resource "grafana_folder" "alerts" {
  uid   = var.folder.uid
  title = var.folder.title
}

resource "grafana_rule_group" "group" {
  for_each = local.order

  name             = each.key
  folder_uid       = grafana_folder.alerts.uid
  interval_seconds = local.intervals[local.rules[each.value[0]].group][0]

  dynamic "rule" {
    for_each = [for name in each.value : merge(local.rules[name], { name = name })]

    content {
      uid            = local.takes_uids ? rule.value.uid : null
      name           = rule.value.name
      condition      = "C"
      for            = "${rule.value.pending}s"
      no_data_state  = rule.value.no_data_state
      exec_err_state = rule.value.exec_err_state
      is_paused      = rule.value.paused

      keep_firing_for = local.grafana >= 11006000 ? rule.value.keep_firing_for : null

      labels = merge(rule.value.labels, var.labels, { lookout_env = var.environment })

      annotations = merge(
        {
          for name, text in rule.value.annotations : name => strcontains(text, "$value") ? "${local.value_of_b}${text}" : text
          if name != "runbook_url"
        },
        {
          # Words for the message: the numbers with their unit.
          threshold = "${rule.value.compare == "above" ? ">" : "<"} {{ \"${rule.value.threshold}\" | ${local.units[rule.value.unit].function} }}${local.units[rule.value.unit].after}"
          value     = "${local.value_of_b}{{ $value | ${local.units[rule.value.unit].function} }}${local.units[rule.value.unit].after}"
        },
        rule.value.runbook,
        rule.value.dashboard == null ? {} : {
          __dashboardUid__ = rule.value.dashboard
          __panelId__      = rule.value.panel
        },
      )

      # intervalMs and maxDataPoints are left out of the models: Grafana's defaults come back as a difference.
      data {
        ref_id         = "A"
        datasource_uid = var.datasource.uid
        relative_time_range {
          from = 600
          to   = 0
        }
        model = jsonencode({
          datasource = { type = var.datasource.type, uid = var.datasource.uid }
          editorMode = "code"
          # Grafana takes NaN (no requests: 0 / 0) for a breach, Prometheus doesn't. Comparing drops it, and nothing else.
          expr    = "(${rule.value.expr}${strcontains(rule.value.expr, "#") ? "\n" : ""}) >= -Inf"
          instant = true
          range   = false
          refId   = "A"
        })
      }

      data {
        ref_id         = "B"
        datasource_uid = "__expr__"
        relative_time_range {
          from = 0
          to   = 0
        }
        model = jsonencode({
          datasource = { type = "__expr__", uid = "__expr__" }
          expression = "A"
          reducer    = "last"
          refId      = "B"
          type       = "reduce"
        })
      }

      data {
        ref_id         = "C"
        datasource_uid = "__expr__"
        relative_time_range {
          from = 0
          to   = 0
        }
        model = jsonencode({
          conditions = [{ evaluator = { params = [rule.value.threshold], type = rule.value.compare == "above" ? "gt" : "lt" } }]
          datasource = { type = "__expr__", uid = "__expr__" }
          expression = "B"
          refId      = "C"
          type       = "threshold"
        })
      }

      dynamic "notification_settings" {
        for_each = var.contact_point == null ? [] : [var.contact_point]

        content {
          contact_point = notification_settings.value
        }
      }
    }
  }
}
