# What a dashboard gets from the environment: its datasource, and the red lines of the alerts whose thresholds differ here.

locals {
  # A dashboard's `datasource` variable is saved with Lookout's own datasource chosen. Where the environment's has
  # another uid or name, that choice is exchanged in the text, which costs nothing compared with decoding.
  chosen      = "\"text\": \"Prometheus\",\n          \"value\": \"prometheus\""
  environment = "\"text\": ${jsonencode(var.datasource.name)},\n          \"value\": ${jsonencode(var.datasource.uid)}"

  exchange = local.chosen == local.environment ? [] : [for dashboard in values(local.found.dashboards) : dashboard.file if dashboard.form == "classic"]

  # Few dashboards have a panel with an alert, so these can be decoded, and so can resources, which differ in their place of
  # the chosen datasource and of the panels.
  decoded = {
    for uid, dashboard in local.found.dashboards : uid => merge(dashboard, {
      content = jsondecode(replace(file("${local.directory}/${dashboard.file}"), local.chosen, local.environment))
    }) if dashboard.form != "classic" || contains(keys(local.found.thresholds), uid)
  }

  # Thresholds by panel id; lists are used instead of conditionals since both sides of one would need a common type.
  lines = {
    for uid, panels in local.found.thresholds : uid => {
      for id, value in panels : id => { mode = "absolute", steps = [{ color = "green", value = null }, { color = "red", value = value }] }
    } if contains(keys(local.decoded), uid)
  }

  # A V1 resource is the classic dashboard in an envelope: taken out of it, every Grafana reads it.
  classic = {
    for uid, dashboard in local.decoded : dashboard.file => jsonencode(merge(
      # Both sides of a conditional have to be of one type, hence as text.
      jsondecode(dashboard.form == "v1" ? jsonencode(merge(dashboard.content.spec, { uid = uid })) : jsonencode(dashboard.content)),
      {
        for key, panels in { panels = try(dashboard.content.spec.panels, dashboard.content.panels, null) } : key => [
          for panel in panels : merge([
            for part in concat([panel], [
              for id, line in lookup(local.lines, uid, {}) : {
                fieldConfig = merge(panel.fieldConfig, { defaults = merge(panel.fieldConfig.defaults, { thresholds = line }) })
              } if tostring(try(panel.id, "")) == id && can(panel.fieldConfig.defaults)
            ]) : part
          ]...)
        ] if panels != null
      },
    )) if dashboard.form != "v2"
  }

  v2 = {
    for uid, dashboard in local.decoded : dashboard.file => jsonencode(merge(dashboard.content, {
      spec = merge(dashboard.content.spec, {
        elements = {
          for name, element in dashboard.content.spec.elements : name => merge([
            for part in concat([element], [
              for id, line in lookup(local.lines, uid, {}) : {
                spec = merge(element.spec, { vizConfig = merge(element.spec.vizConfig, { spec = merge(element.spec.vizConfig.spec, {
                  fieldConfig = merge(element.spec.vizConfig.spec.fieldConfig, {
                    defaults = merge(element.spec.vizConfig.spec.fieldConfig.defaults, { thresholds = line })
                  })
                }) }) })
              } if tostring(try(element.spec.id, "")) == id && can(element.spec.vizConfig.spec.fieldConfig.defaults)
            ]) : part
          ]...)
        }
      })
    })) if dashboard.form == "v2"
  }

  replacements = merge(
    { for file in local.exchange : file => replace(file("${local.directory}/${file}"), local.chosen, local.environment) },
    local.classic,
    local.v2,
  )
}
