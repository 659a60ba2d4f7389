locals {
  # Grafana calls Prometheus' $value something else: $values.B.Value, which doesn't exist where there is no data. The
  # text of the rule stays as it was written; this goes before it.
  value_of_b = "{{- $value := \"NaN\" -}}{{- with $values.B -}}{{- $value = .Value -}}{{- end -}}"

  # What this Grafana can do, as one comparable number: 11.5.2 is 11005002.
  grafana = sum([for index, part in regexall("[0-9]+", var.grafana_version) : part * [1000000, 1000, 1][index] if index < 3])

  # Before 11.5.2 a group can't be written with new rules that have a uid. Such a Grafana chooses the uids, and the
  # provider knows them by their place in the group: an inserted rule would take over the alerts of its neighbour. With
  # one rule in each group none has neighbours, and a rule keeps its uid for as long as its name.
  takes_uids = local.grafana >= 11005002

  groups = local.takes_uids ? var.alerts.groups : tomap({
    for name, rule in var.alerts.rules : name => { interval_seconds = var.alerts.groups[rule.group].interval_seconds, rules = tolist([name]) }
  })
}

resource "grafana_folder" "alerts" {
  uid   = var.folder.uid
  title = var.folder.title

  # Deleting a folder deletes what is in it, whoever made it. Before 10.2 the provider would take every dashboard for one in it.
  prevent_destroy_if_not_empty = local.grafana >= 10002000
}

resource "grafana_rule_group" "group" {
  for_each = local.groups

  name             = each.key
  folder_uid       = grafana_folder.alerts.uid
  interval_seconds = each.value.interval_seconds

  dynamic "rule" {
    for_each = [for name in each.value.rules : merge(var.alerts.rules[name], { name = name })]

    content {
      uid       = local.takes_uids ? rule.value.uid : null
      name      = rule.value.name
      condition = "C"
      for       = "${rule.value.pending_seconds}s"
      # Before 10.4 there is no KeepLast. OK is the nearest that says nothing to anyone: an alert that fired ends with the reason
      # "Error", which the relay reports as "may not have recovered".
      no_data_state  = local.grafana < 10004000 && rule.value.no_data_state == "KeepLast" ? "OK" : rule.value.no_data_state
      exec_err_state = local.grafana < 10004000 && rule.value.exec_err_state == "KeepLast" ? "OK" : rule.value.exec_err_state
      is_paused      = rule.value.paused

      keep_firing_for = local.grafana >= 11006000 ? rule.value.keep_firing_for : null

      missing_series_evals_to_resolve = var.missing_series_evaluations

      labels = rule.value.labels

      annotations = merge(
        { for name, text in rule.value.annotations : name => strcontains(text, "$value") ? "${local.value_of_b}${text}" : text },
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
