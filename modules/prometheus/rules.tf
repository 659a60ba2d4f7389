locals {
  recording_rules = { groups = [for name, group in var.recording_rules : { for key, value in {
    interval = group.interval
    labels   = length(group.labels) == 0 ? null : group.labels
    name     = name
    rules = [for rule in group.rules : { for key, value in {
      expr   = rule.expr
      labels = length(rule.labels) == 0 ? null : rule.labels
      record = rule.record
    } : key => value if value != null }]
  } : key => value if value != null }] }

  rule_files = merge(
    var.rule_files,
    length(var.recording_rules) == 0 ? {} : { "recording_rules.yaml" = yamlencode(local.recording_rules) },
    var.shipped_rules ? {
      "shipped_service.yaml" = file("${path.module}/rules/service.yaml")
      "shipped_trends.yaml"  = file("${path.module}/rules/trends.yaml")
    } : {},
  )
}
