# The rule files as they are, and what is wrong with them. Both engines are slow or silent about some of it: Grafana's
# provider repeats every refusal for two minutes, and Prometheus takes an unknown severity. So it is refused here,
# while planning. What needs a parser of PromQL or of templates, or the text of the YAML (a key that is there twice), is
# the business of `lookout rules check`, which `make plan` and `make apply` run first; both read the same table of cases,
# internal/rules/testdata/cases.

locals {
  directory = trimsuffix(var.path, "/")
  # The directory as messages name it: seen from the repository, not from the root module.
  shown = replace(local.directory, "/^([.]{1,2}/)+/", "")
  files = [for file in sort(fileset(local.directory, "*.yaml")) : file if !endswith(file, ".test.yaml") && !contains(var.left_out, file)]

  # null: not YAML, or several documents, or .inf, which no JSON can hold.
  texts     = { for file in local.files : file => try(file("${local.directory}/${file}"), "") }
  documents = { for file in local.files : file => try(jsondecode(jsonencode(yamldecode(local.aliases[file] > local.max_aliases ? "" : local.texts[file]))), null) }

  # Terraform writes out every alias before anything can look at it, and a kilobyte of aliases of aliases never ends.
  max_aliases = 32
  anchors     = { for file, text in local.texts : file => toset(flatten(regexall("&([^\\s,\\[\\]{}]+)", text))) }
  aliases     = { for file, text in local.texts : file => length([for name in flatten(regexall("(?:^|[\\s,\\[{:-])\\*([^\\s,\\[\\]{}]+)", text)) : name if contains(local.anchors[file], name)]) }

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

  # As Prometheus reads them. Whole seconds, and less than a year: Grafana writes 1500ms and 365d back in a spelling that its provider
  # can't read, and every later plan fails.
  duration = "^(0|([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?)$"
  year     = 31536000

  label_name = "^[a-zA-Z_][a-zA-Z0-9_]*$"
  # Set by what evaluates or routes; a rule that sets them as well would not be found by its name or its environment.
  reserved = ["__name__", "alertname", "grafana_folder", "lookout_env"]

  seconds_in = { s = 1, m = 60, h = 3600, d = 86400, w = 604800 }

  # Seconds by text, for every duration that is well formed.
  seconds = {
    for text in distinct(concat(
      ["0s"],
      [for entry in local.groups : try(tostring(entry.group.interval), "")],
      flatten([for entry in local.entries : [for field in ["for", "keep_firing_for", "window"] : try(tostring(entry.rule[field]), "")]]),
      values(local.intervals_here),
      flatten([for override in values(local.overrides) : [override.pending, override.window]]),
    )) : text => sum(concat([0], [for part in regexall("([0-9]+)([smhdw])", text) : part[0] * local.seconds_in[part[1]]]))
    if text == null ? false : text != "" && can(regex(local.duration, text))
  }
}

locals {
  wrong_files = concat(
    [for file, document in local.documents : "${local.shown}/${file} is not YAML, is empty, has several documents or an infinite number; `lookout rules check ${local.shown}/${file}` names the line" if document == null && local.aliases[file] <= local.max_aliases],
    [for file, count in local.aliases : "${local.shown}/${file}: ${count} aliases; a rule file may hold ${local.max_aliases}: write out what they stand for" if count > local.max_aliases],
    [for file, document in local.documents : "${local.shown}/${file} is not a rule file: it has no keys; write groups" if document != null && !can(keys(document))],
    flatten([for file, document in local.documents : [
      for field in setsubtract(try(keys(document), []), local.fields.document) : "${local.shown}/${file}: unknown field \"${field}\" in a rule file; known are ${join(", ", local.fields.document)}"
    ]]),
    [for file, document in local.documents : "${local.shown}/${file}: no groups" if can(keys(document)) && try(length(document.groups) == 0 || !can(document.groups[0]), true)],
    # 010 is 8 to some readers and 10 to others.
    flatten([for file, text in local.texts : [
      for match in regexall("(?m)(?:above|below): *([-+]?0[0-9xXoObB_][^ }#\\n]*)", text) : "${local.shown}/${file}: threshold ${match[0]} is read differently by different programs; write it as a decimal number"
    ]]),
  )

  wrong_groups = flatten([
    for entry in local.groups : [
      [for problem in ["group"] : "${local.shown}/${entry.file}: a group is ${jsonencode(entry.group)}; write name, interval and rules" if !can(keys(entry.group))],
      [for field in setsubtract(try(keys(entry.group), []), local.fields.group) : "${local.shown}/${entry.file}: unknown field \"${field}\" in a group; known are ${join(", ", local.fields.group)}"],
      [for problem in ["name"] : "${local.shown}/${entry.file}: a group needs a name of 1 to 190 characters without /, but has ${try(jsonencode(entry.group.name), "none")}" if can(keys(entry.group)) && !(can(regex("^[^/]{1,190}$", entry.group.name)) && startswith(jsonencode(try(entry.group.name, null)), "\""))],
      [for problem in ["rules"] : "${local.shown}/${entry.file}: group \"${try(entry.group.name, "")}\" has no rules" if can(keys(entry.group)) && try(length(entry.group.rules) == 0 || !can(entry.group.rules[0]), true)],
      [for problem in ["interval"] : "${local.shown}/${entry.file}: the interval of group \"${try(entry.group.name, "")}\" is ${try(jsonencode(entry.group.interval), "missing")}; write 10s or a multiple of that, less than a year" if can(keys(entry.group)) && !try(
        local.seconds[entry.group.interval] > 0 && local.seconds[entry.group.interval] % 10 == 0 && local.seconds[entry.group.interval] < local.year, false
      )],
    ]
  ])

  # Texts have to be texts: 1.10 and 010 would be other numbers by the time they are labels.
  wrong_texts = flatten([
    for entry in local.entries : [
      for name, value in merge(
        { for field in ["alert", "exec_err_state", "expr", "no_data_state", "uid"] : field => try(entry.rule[field], null) },
        { for field in ["unit"] : field => entry.rule[field] if can(entry.rule[field]) },
        { for name, value in try(entry.rule.labels, {}) : "label ${name}" => value if can(keys(entry.rule.labels)) },
        { for name, value in try(entry.rule.annotations, {}) : "annotation ${name}" => value if can(keys(entry.rule.annotations)) },
        { for field in local.fields.annotations : "annotation ${field}" => null if !can(entry.rule.annotations[field]) },
      ) : "${entry.at}: ${name} is ${value == null ? "missing" : value == "" ? "empty" : "${jsonencode(value)}, which is not text; quote it"}" if can(keys(entry.rule)) && (value == null || value == "" || !startswith(jsonencode(value), "\""))
    ]
  ])

  wrong_rules = flatten([
    for entry in local.entries : [
      [for problem in ["rule"] : "${entry.at} is ${jsonencode(entry.rule)}; write alert, uid, expr and so on" if !can(keys(entry.rule))],
      [for field in setsubtract(try(keys(entry.rule), []), local.fields.rule) : "${entry.at}: unknown field \"${field}\" in a rule; known are ${join(", ", local.fields.rule)}"],
      [for field in setsubtract(try(keys(entry.rule.threshold), []), local.fields.threshold) : "${entry.at}: unknown field \"${field}\" in threshold; known are ${join(", ", local.fields.threshold)}"],
      [for field in setsubtract(try(keys(entry.rule.panel), []), local.fields.panel) : "${entry.at}: unknown field \"${field}\" in panel; known are ${join(", ", local.fields.panel)}"],
      [for problem in ["name"] : "${entry.at}: alert is \"${entry.rule.alert}\"; write a name of letters, digits and _, up to 190, such as GoThreadsHigh" if can(regex(".", entry.rule.alert)) && !can(regex("^[a-zA-Z_][a-zA-Z0-9_]{0,189}$", entry.rule.alert))],
      [for problem in ["threshold"] : "${entry.at}: threshold is missing; write \"threshold: {above: 8}\" or {below: 1}" if can(keys(entry.rule)) && length(setintersection(try(keys(entry.rule.threshold), []), local.fields.threshold)) != 1],
      [for side, value in try({ for side, value in entry.rule.threshold : side => value }, {}) : "${entry.at}: threshold ${side} is ${jsonencode(value)}, which is not a finite number" if contains(local.fields.threshold, side) && !(can(regex("^-?[0-9]", jsonencode(value))) && try(abs(value) < 1e308, false))],
      [for field in ["for", "keep_firing_for", "window"] : "${entry.at}: ${field} is ${jsonencode(entry.rule[field])}; write a duration in whole seconds of less than a year, such as 5m" if can(entry.rule[field]) && !try(startswith(jsonencode(entry.rule[field]), "\"") && local.seconds[entry.rule[field]] < local.year, false)],
      [for problem in ["window"] : "${entry.at}: window is ${entry.rule.window}, but expr has no [${entry.rule.window}]" if try(entry.rule.window != "", false) && !try(strcontains(entry.rule.expr, "[${entry.rule.window}]"), true)],
      [for field in ["labels", "annotations", "threshold", "panel"] : "${entry.at}: ${field} is ${jsonencode(entry.rule[field])}; write names and values" if can(entry.rule[field]) && !can(keys(entry.rule[field]))],
      [for name in setsubtract(try(keys(entry.rule.labels), []), ["severity"]) : "${entry.at}: \"${name}\" is not a valid label name; use letters, digits and _" if !can(regex(local.label_name, name))],
      [for name in setintersection(try(keys(entry.rule.labels), []), local.reserved) : "${entry.at}: label ${name} can't be set by a rule"],
      [for name in try(keys(entry.rule.annotations), []) : "${entry.at}: annotation ${name} can't be set by a rule: Lookout writes it" if contains(["value", "threshold", "dashboard_url", "panel_url", "runbook", "__dashboardUid__", "__panelId__"], name)],
      [for name in try(keys(entry.rule.annotations), []) : "${entry.at}: \"${name}\" is not a valid annotation name; use letters, digits and _" if !can(regex(local.label_name, name))],
      [for problem in ["severity"] : "${entry.at}: label severity is ${try(jsonencode(entry.rule.labels.severity), "missing")}; write critical, warning or info" if can(keys(entry.rule)) && !contains(["critical", "warning", "info"], try(entry.rule.labels.severity, ""))],
      [for problem in ["unit"] : "${entry.at}: unit is ${jsonencode(entry.rule.unit)}; known are ${join(", ", keys(local.units))}" if try(startswith(jsonencode(entry.rule.unit), "\"") && entry.rule.unit != "", false) && !contains(keys(local.units), try(entry.rule.unit, ""))],
      [for problem in ["state"] : "${entry.at}: no_data_state is ${jsonencode(entry.rule.no_data_state)}; write NoData, OK, Alerting or KeepLast" if can(regex(".", entry.rule.no_data_state)) && !contains(["NoData", "OK", "Alerting", "KeepLast"], try(entry.rule.no_data_state, ""))],
      [for problem in ["state"] : "${entry.at}: exec_err_state is ${jsonencode(entry.rule.exec_err_state)}; write Error, OK, Alerting or KeepLast" if can(regex(".", entry.rule.exec_err_state)) && !contains(["Error", "OK", "Alerting", "KeepLast"], try(entry.rule.exec_err_state, ""))],
      [for problem in ["uid"] : "${entry.at}: uid is \"${entry.rule.uid}\"; write 1 to 40 letters, digits, '-' and '_'" if can(regex(".", entry.rule.uid)) && !can(regex("^[a-zA-Z0-9_-]{1,40}$", entry.rule.uid))],
      [for problem in ["panel"] : "${entry.at}: panel needs dashboard, the uid of a dashboard, and id, a whole number above 0" if can(keys(entry.rule.panel)) && !try(
        length(setintersection(keys(entry.rule.panel), local.fields.panel)) == 2 && startswith(jsonencode(entry.rule.panel.dashboard), "\"") && entry.rule.panel.dashboard != "" &&
        can(regex("^[1-9][0-9]*$", jsonencode(entry.rule.panel.id))), false
      )],
      [for problem in ["panel"] : "${entry.at}: there is no dashboard \"${entry.rule.panel.dashboard}\"; known are ${join(", ", keys(local.dashboard_files))}" if var.dashboards_path != null && try(startswith(jsonencode(entry.rule.panel.dashboard), "\""), false) && !contains(keys(local.dashboard_files), try(entry.rule.panel.dashboard, ""))],
      [for problem in ["panel"] : "${entry.at}: dashboard \"${entry.rule.panel.dashboard}\" has no panel ${entry.rule.panel.id}" if try(!contains(local.panel_ids[entry.rule.panel.dashboard], tostring(entry.rule.panel.id)), false)],
    ]
  ])

  dashboard_files = var.dashboards_path == null ? {} : { for file in fileset(coalesce(var.dashboards_path, "."), "*/*.json") : trimsuffix(basename(file), ".json") => "${trimsuffix(coalesce(var.dashboards_path, "."), "/")}/${file}"... }

  # Only for dashboards that an alert refers to: decoding is slow. One that is not JSON is reported by modules/dashboards.
  panel_ids = {
    for uid, panels in {
      for uid in distinct([for entry in local.entries : try(tostring(entry.rule.panel.dashboard), "")]) : uid => try(jsondecode(file(local.dashboard_files[uid][0])), null)
      if contains(keys(local.dashboard_files), coalesce(uid, "-"))
      } : uid => concat(
      [for panel in try(flatten([for panel in try(panels.panels, panels.spec.panels) : [[panel], try([for inner in panel.panels : inner], [])]]), []) : tostring(panel.id) if can(panel.id)],
      [for element in try(values(panels.spec.elements), []) : tostring(element.spec.id) if can(element.spec.id)],
    ) if panels != null
  }

  uses = {
    alert = { for entry in local.entries : try(tostring(entry.rule.alert), "") => entry.at... if try(tostring(entry.rule.alert), null) != null }
    uid   = { for entry in local.entries : try(tostring(entry.rule.uid), "") => entry.at... if try(tostring(entry.rule.uid), null) != null }
    group = { for entry in local.groups : try(tostring(entry.group.name), "") => "${local.shown}/${entry.file}"... if try(tostring(entry.group.name), null) != null }
  }
  doubles = flatten([
    for kind, names in local.uses : [
      for name, places in names : "the ${kind} \"${name}\" is used ${length(places)} times: ${join("; ", places)}" if length(places) > 1 && name != ""
    ]
  ])

  findings = concat(local.wrong_files, local.wrong_groups, local.wrong_rules, local.wrong_texts, local.doubles, local.wrong_settings)
  sound    = length(local.findings) == 0
}
