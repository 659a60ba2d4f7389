# The rule files as they are, and what is wrong with them. A rule group's write is retried by the provider for two
# minutes whatever the error, so everything that Grafana would refuse is refused here, while planning.

locals {
  directory = trimsuffix(var.path, "/")
  # The directory as messages name it: seen from the repository, not from the root module.
  shown = replace(local.directory, "/^([.]{1,2}/)+/", "")
  files = [for file in sort(fileset(local.directory, "*.yaml")) : file if !endswith(file, ".test.yaml")]

  # null: not YAML.
  documents = { for file in local.files : file => try(yamldecode(file("${local.directory}/${file}")), null) }

  groups = flatten([
    for file, document in local.documents : [
      for group in try([for group in document.groups : group], []) : { file = file, group = group }
    ]
  ])

  entries = flatten([
    for entry in local.groups : [
      for index, rule in try([for rule in entry.group.rules : rule], []) : {
        file  = entry.file
        group = try(tostring(entry.group.name), "")
        rule  = rule
        at    = "${local.shown}/${entry.file}: rule ${try("\"${rule.alert}\"", "number ${index + 1} of group \"${entry.group.name}\"", index + 1)}"
      }
    ]
  ])

  fields = {
    document    = ["groups"]
    group       = ["interval", "name", "rules"]
    rule        = ["alert", "annotations", "exec_err_state", "expr", "for", "keep_firing_for", "labels", "no_data_state", "panel", "threshold", "uid", "unit", "window"]
    panel       = ["dashboard", "id"]
    threshold   = ["above", "below"]
    annotations = ["description", "runbook_url", "summary"]
  }
  duration = "^(0s?|([0-9]+(ms|s|m|h|d|w|y))+)$"
}

locals {
  wrong_files = concat(
    [for file, document in local.documents : "${local.shown}/${file} is not YAML, or empty; `go test ./internal/alerts` names the line" if document == null],
    flatten([for file, document in local.documents : [
      for field in setsubtract(try(keys(document), []), local.fields.document) : "${local.shown}/${file}: unknown field \"${field}\"; a rule file has ${join(", ", local.fields.document)}"
    ]]),
    [for file, document in local.documents : "${local.shown}/${file}: no groups" if document != null && try(length(document.groups), 0) == 0],
  )

  wrong_groups = flatten([
    for entry in local.groups : [
      [for field in setsubtract(try(keys(entry.group), []), local.fields.group) : "${local.shown}/${entry.file}: unknown field \"${field}\" in a group; known are ${join(", ", local.fields.group)}"],
      [for problem in ["has no name"] : "${local.shown}/${entry.file}: a group ${problem}" if !can(regex(".", entry.group.name))],
      [for problem in ["has no rules"] : "${local.shown}/${entry.file}: group \"${try(entry.group.name, "")}\" ${problem}" if try(length(entry.group.rules), 0) == 0],
      [for problem in ["interval"] : "${local.shown}/${entry.file}: group \"${try(entry.group.name, "")}\" needs an interval such as 1m" if !can(regex(local.duration, entry.group.interval))],
    ]
  ])

  wrong_rules = flatten([
    for entry in local.entries : [
      [for field in setsubtract(try(keys(entry.rule), []), local.fields.rule) : "${entry.at}: unknown field \"${field}\"; known are ${join(", ", local.fields.rule)}"],
      [for field in setsubtract(try(keys(entry.rule.threshold), []), local.fields.threshold) : "${entry.at}: unknown field \"${field}\" in threshold; known are ${join(", ", local.fields.threshold)}"],
      [for field in setsubtract(try(keys(entry.rule.panel), []), local.fields.panel) : "${entry.at}: unknown field \"${field}\" in panel; known are ${join(", ", local.fields.panel)}"],
      [for field in ["alert", "exec_err_state", "expr", "no_data_state", "uid"] : "${entry.at}: ${field} is missing" if !can(regex(".", entry.rule[field]))],
      [for field in local.fields.annotations : "${entry.at}: annotation ${field} is missing" if !can(regex(".", entry.rule.annotations[field]))],
      [for problem in ["threshold"] : "${entry.at}: threshold is missing; write \"threshold: {above: 8}\" or {below: 1}" if try(length(keys(entry.rule.threshold)), 0) != 1],
      [for side, value in try({ for side, value in entry.rule.threshold : side => value }, {}) : "${entry.at}: threshold ${side} is ${jsonencode(value)}, which is no number" if !can(regex("^-?[0-9]", jsonencode(value)))],
      [for field in ["for", "keep_firing_for", "window"] : "${entry.at}: ${field} is ${jsonencode(entry.rule[field])}, which is no duration such as 5m" if can(entry.rule[field]) && !can(regex(local.duration, entry.rule[field]))],
      [for problem in ["window"] : "${entry.at}: window is ${entry.rule.window}, but expr has no [${entry.rule.window}]" if can(entry.rule.window) && !try(strcontains(entry.rule.expr, "[${entry.rule.window}]"), true)],
      [for problem in ["severity"] : "${entry.at}: label severity is ${try(jsonencode(entry.rule.labels.severity), "missing")}; write critical, warning or info" if !contains(["critical", "warning", "info"], try(entry.rule.labels.severity, ""))],
      [for problem in ["unit"] : "${entry.at}: unit is ${jsonencode(entry.rule.unit)}; known are ${join(", ", keys(local.units))}" if !contains(keys(local.units), try(entry.rule.unit, "short"))],
      [for problem in ["state"] : "${entry.at}: no_data_state is ${entry.rule.no_data_state}; write NoData, OK or Alerting" if !contains(["NoData", "OK", "Alerting"], try(entry.rule.no_data_state, "OK"))],
      [for problem in ["state"] : "${entry.at}: exec_err_state is ${entry.rule.exec_err_state}; write Error, OK or Alerting" if !contains(["Error", "OK", "Alerting"], try(entry.rule.exec_err_state, "OK"))],
      [for problem in ["uid"] : "${entry.at}: uid is \"${entry.rule.uid}\"; write 1 to 40 letters, digits, '-' and '_'" if can(entry.rule.uid) && !can(regex("^[a-zA-Z0-9_-]{1,40}$", entry.rule.uid))],
      [for problem in ["panel"] : "${entry.at}: panel needs both dashboard and id" if can(entry.rule.panel) && length(setintersection(try(keys(entry.rule.panel), []), local.fields.panel)) != 2],
      [for problem in ["panel"] : "${entry.at}: there is no dashboard \"${entry.rule.panel.dashboard}\"; known are ${join(", ", keys(var.dashboards))}" if length(var.dashboards) > 0 && can(entry.rule.panel.dashboard) && !contains(keys(var.dashboards), try(entry.rule.panel.dashboard, ""))],
      [for problem in ["panel"] : "${entry.at}: dashboard \"${entry.rule.panel.dashboard}\" has no panel ${entry.rule.panel.id}" if try(!contains(local.panel_ids[entry.rule.panel.dashboard], tostring(entry.rule.panel.id)), false)],
    ]
  ])

  # Read from the file, and only for dashboards that an alert refers to: decoding is slow.
  panel_ids = {
    for uid in distinct([for entry in local.entries : try(entry.rule.panel.dashboard, "")]) : uid => [
      for panel in try(flatten([for panel in jsondecode(file(var.dashboards[uid].file)).panels : [[panel], try([for inner in panel.panels : inner], [])]]), []) : tostring(panel.id) if can(panel.id)
    ] if contains(keys(var.dashboards), uid)
  }

  uses = {
    alert = { for entry in local.entries : try(entry.rule.alert, "") => entry.at... }
    uid   = { for entry in local.entries : try(entry.rule.uid, "") => entry.at... }
    group = { for entry in local.groups : try(entry.group.name, "") => "${local.shown}/${entry.file}"... }
  }
  doubles = flatten([
    for kind, names in local.uses : [
      for name, places in names : "the ${kind} \"${name}\" is used ${length(places)} times: ${join("; ", places)}" if length(places) > 1 && name != ""
    ]
  ])

  # Only once the files are known to be complete: what a broken one would have held is not missing.
  wrong_overrides = length(local.wrong_files) > 0 ? [] : concat(
    [for name in setsubtract(keys(var.overrides), keys(local.uses.alert)) : "overrides has \"${name}\", but there is no such alert; known are ${join(", ", keys(local.uses.alert))}"],
    [for name in setsubtract(keys(var.intervals), keys(local.uses.group)) : "intervals has \"${name}\", but there is no such group; known are ${join(", ", keys(local.uses.group))}"],
    [for entry in local.entries : "overrides gives \"${entry.rule.alert}\" a window, but the rule in ${local.shown}/${entry.file} has none" if try(var.overrides[entry.rule.alert].window, null) != null && !can(entry.rule.window)],
    [for entry in local.groups : "the interval of group \"${entry.group.name}\" is ${local.intervals[entry.group.name][0]} s; Grafana evaluates every 10 s or a multiple of that" if try(local.intervals[entry.group.name][0] < 10 || local.intervals[entry.group.name][0] % 10 != 0, false)],
  )

  wrong_version = [for problem in ["contact_point needs Grafana 10.4, but grafana_version is ${var.grafana_version}"] : problem if var.contact_point != null && local.grafana < 10004000]

  findings = concat(local.wrong_version, local.wrong_files, local.wrong_groups, local.wrong_rules, local.doubles, local.wrong_overrides)
  sound    = length(local.findings) == 0
}
