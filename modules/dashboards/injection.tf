# What a dashboard gets from the environment: its datasource, and the red lines of the alerts whose thresholds differ here.

locals {
  # A dashboard's `datasource` variable is saved with Lookout's own datasource chosen. Where the environment's has
  # another uid or name, that choice is exchanged in the text, which costs nothing compared with decoding.
  chosen      = "\"text\": \"Prometheus\",\n          \"value\": \"prometheus\""
  environment = "\"text\": ${jsonencode(var.datasource.name)},\n          \"value\": ${jsonencode(var.datasource.uid)}"

  exchange = local.chosen == local.environment ? [] : local.files

  # Few dashboards have a panel with an alert, so these can be decoded. `fields` holds, per panel id, what replaces
  # the panel's thresholds; lists are used instead of conditionals since both sides of one would need a common type.
  lined = [for file in local.files : file if contains(keys(var.thresholds), trimsuffix(basename(file), ".json"))]

  decoded = {
    for file in local.lined : file => jsondecode(
      replace(file("${local.directory}/${file}"), local.chosen, local.environment)
    ) if !contains(local.invalid, file)
  }

  lines = {
    for file, dashboard in local.decoded : file => jsonencode(merge(dashboard, {
      panels = [
        for panel in dashboard.panels : merge([
          for part in concat([panel], [
            for id, value in var.thresholds[trimsuffix(basename(file), ".json")] : {
              fieldConfig = merge(panel.fieldConfig, {
                defaults = merge(panel.fieldConfig.defaults, {
                  thresholds = {
                    mode  = "absolute"
                    steps = [{ color = "green", value = null }, { color = "red", value = value }]
                  }
                })
              })
            } if tostring(try(panel.id, "")) == id && can(panel.fieldConfig.defaults)
          ]) : part
        ]...)
      ]
    }))
  }

  replacements = merge(
    {
      for file in local.exchange : file => replace(file("${local.directory}/${file}"), local.chosen, local.environment)
      if !contains(local.invalid, file)
    },
    local.lines,
  )
}
