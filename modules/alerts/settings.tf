# What differs in this environment: its file, and over that the variables. Both platform and content read the same file,
# and so does `lookout rules export --env`.

locals {
  settings_shown = var.settings == null ? "settings" : replace(coalesce(var.settings, "-"), "/^([.]{1,2}/)+/", "")
  # null: there is none, or it is not YAML.
  settings_text     = try(file(var.settings), "")
  settings_document = try(jsondecode(jsonencode(yamldecode(length(regexall("(?:^|[\\s,\\[{:-])\\*[^\\s,\\[\\]{}]", local.settings_text)) > local.max_aliases ? "" : local.settings_text))), null)

  intervals_here = merge(try({ for name, value in local.settings_document.intervals : name => tostring(value) }, {}), var.intervals)
  labels_here    = merge(try({ for name, value in local.settings_document.labels : name => tostring(value) }, {}), var.labels)

  override_fields = ["paused", "pending", "severity", "threshold", "window"]
  overrides = {
    for name in distinct(concat(try(keys(local.settings_document.overrides), []), keys(var.overrides))) : name => {
      for field in local.override_fields : field => try(coalesce(var.overrides[name][field]), tostring(local.settings_document.overrides[name][field]), null)
    }
  }

  wrong_settings = concat(
    [for problem in ["settings"] : "${local.settings_shown} is not YAML with the keys intervals, labels and overrides" if var.settings != null && !can(keys(local.settings_document))],
    [for field in setsubtract(try(keys(local.settings_document), []), ["intervals", "labels", "overrides"]) : "${local.settings_shown}: unknown field \"${field}\"; known are intervals, labels, overrides"],
    [for field, value in try({ for field, value in local.settings_document : field => value }, {}) : "${local.settings_shown}: ${field} is ${jsonencode(value)}; write names and values" if contains(["intervals", "labels", "overrides"], field) && !can(keys(value))],
    flatten([for name, override in try({ for name, override in local.settings_document.overrides : name => override }, {}) : [
      [for problem in ["override"] : "${local.settings_shown}: overrides ${name} is ${jsonencode(override)}; write ${join(", ", local.override_fields)}" if !can(keys(override))],
      [for field in setsubtract(try(keys(override), []), local.override_fields) : "${local.settings_shown}: unknown field \"${field}\" in overrides ${name}; known are ${join(", ", local.override_fields)}"],
      [for field, value in try({ for field, value in override : field => value }, {}) : "${local.settings_shown}: overrides ${name} ${field} is ${jsonencode(value)}; write text" if contains(["pending", "severity", "window"], field) && !startswith(jsonencode(value), "\"")],
    ]]),

    [for name, override in local.overrides : "overrides: the threshold of ${name} is ${override.threshold}, which is not a finite number" if override.threshold != null && !try(abs(tonumber(override.threshold)) < 1e308, false)],
    [for name, override in local.overrides : "overrides: paused of ${name} is ${override.paused}; write true or false" if override.paused != null && !can(tobool(override.paused))],
    [for name, override in local.overrides : "overrides: the severity of ${name} is \"${override.severity}\"; write critical, warning or info" if override.severity != null && !contains(["critical", "warning", "info"], coalesce(override.severity, "-"))],
    flatten([for name, override in local.overrides : [
      for field in ["pending", "window"] : "overrides: ${field} of ${name} is \"${override[field]}\"; write a duration in whole seconds of less than a year, such as 5m" if override[field] != null && !try(local.seconds[override[field]] < local.year, false)
    ]]),
    [for name, interval in local.intervals_here : "intervals: group \"${name}\" has \"${interval}\"; write 10s or a multiple of that" if !try(local.seconds[interval] > 0 && local.seconds[interval] % 10 == 0 && local.seconds[interval] < local.year, false)],
    [for name, value in local.labels_here : "labels: \"${name}\" is not a valid label name; use letters, digits and _" if !can(regex(local.label_name, name))],
    [for name, value in local.labels_here : "labels must not set ${name}: alerts are named and routed by it" if contains(concat(local.reserved, ["severity"]), name)],
    [for name, value in local.labels_here : "labels: ${name} is empty; write a text" if value == null || value == ""],

    # Only once the files are known to be complete: what a broken one would have held is not missing, nor what one that is left out holds.
    length(local.wrong_files) > 0 || length(setintersection(var.left_out, fileset(local.directory, "*.yaml"))) > 0 ? [] : concat(
      [for name in setsubtract(keys(local.overrides), keys(local.uses.alert)) : "overrides has \"${name}\", but there is no such alert; known are ${join(", ", keys(local.uses.alert))}"],
      [for name in setsubtract(keys(local.intervals_here), keys(local.uses.group)) : "intervals has \"${name}\", but there is no such group; known are ${join(", ", keys(local.uses.group))}"],
      [for entry in local.entries : "overrides gives \"${entry.rule.alert}\" a window, but the rule in ${local.shown}/${entry.file} has none" if try(local.overrides[entry.rule.alert].window, null) != null && !can(entry.rule.window)],
    ),
  )
}
