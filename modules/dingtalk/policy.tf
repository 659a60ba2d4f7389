locals {
  seconds_in = { s = 1, m = 60, h = 3600, d = 86400, w = 604800, y = 31536000 }

  durations = merge({ for name, value in var.timing : name => value }, { for heartbeat in var.heartbeat[*] : "heartbeat" => heartbeat.interval })

  seconds = {
    for name, value in local.durations : name => sum([for part in regexall("([0-9]+)(s|m|h|d|w|y)", value) : part[0] * local.seconds_in[part[1]]])
  }

  # Grafana answers durations in one spelling, Prometheus': whole years and whole weeks as such, anything else in days, hours,
  # minutes and seconds ("90s" comes back as "1m30s", "36h" as "1d12h"). Any other would be a difference at every plan.
  timing = {
    for name, seconds in local.seconds : name => (
      seconds % local.seconds_in.y == 0 ? "${seconds / local.seconds_in.y}y" :
      seconds % local.seconds_in.w == 0 ? "${seconds / local.seconds_in.w}w" :
      join("", [
        for part in [
          { unit = "d", count = floor(seconds / 86400) },
          { unit = "h", count = floor(seconds % 86400 / 3600) },
          { unit = "m", count = floor(seconds % 3600 / 60) },
          { unit = "s", count = seconds % 60 },
        ] : "${part.count}${part.unit}" if part.count > 0
      ])
    )
  }

  # Set by alerts/delivery.yaml. The relay itself sends these on the second channel of a target.
  about_delivery = { label = "lookout_about", value = "delivery" }

  # NoData and Error rename alertname, so these groups hold the broken queries of all rules: one message, not one each.
  group_by = ["grafana_folder", "alertname"]
}

# One tree for the whole Grafana, which this resource owns: what others put there is lost.
resource "grafana_notification_policy" "tree" {
  count = var.own_policy ? 1 : 0

  # What comes without Lookout's label, such as a rule tried out by hand, still reaches someone.
  contact_point = grafana_contact_point.robot[local.default_robot].name
  group_by      = local.group_by

  group_wait      = local.timing.group_wait
  group_interval  = local.timing.group_interval
  repeat_interval = local.timing.repeat_interval

  policy {
    contact_point = grafana_contact_point.robot[local.default_robot].name
    group_by      = local.group_by

    group_wait      = local.timing.group_wait
    group_interval  = local.timing.group_interval
    repeat_interval = local.timing.repeat_interval

    # Not by alertname: that is "DatasourceNoData" when there is no data.
    matcher {
      label = "lookout_env"
      match = "="
      value = var.environment
    }

    # By alertname on purpose: as DatasourceNoData or DatasourceError it is not a sign of life but an alert like any other.
    dynamic "policy" {
      for_each = var.heartbeat[*]

      content {
        contact_point = grafana_contact_point.heartbeat[policy.value.name].name
        group_by      = ["alertname"]

        group_wait     = "1s"
        group_interval = local.timing.heartbeat
        # Grafana sends what has not changed with the first group_interval after this; anything near the group_interval
        # would leave every other one out.
        repeat_interval = "1s"

        matcher {
          label = "alertname"
          match = "="
          value = policy.value.alert
        }
      }
    }

    # Twice, here and by the relay below: what is wrong with delivery may be wrong with either.
    dynamic "policy" {
      for_each = grafana_contact_point.about_delivery

      content {
        contact_point = policy.value.name
        continue      = true
        group_by      = local.group_by

        matcher {
          label = local.about_delivery.label
          match = "="
          value = local.about_delivery.value
        }
      }
    }

    dynamic "policy" {
      for_each = var.routes

      content {
        contact_point = grafana_contact_point.robot[policy.value.robot].name
        continue      = policy.value.continue
        group_by      = local.group_by

        dynamic "matcher" {
          for_each = policy.value.labels

          content {
            label = matcher.key
            match = "="
            value = matcher.value
          }
        }
      }
    }

    # A policy that fits keeps its alerts from the default above, so what was sent on the path that bypasses the relay needs its own way back.
    dynamic "policy" {
      for_each = grafana_contact_point.about_delivery

      content {
        contact_point = grafana_contact_point.robot[local.default_robot].name
        group_by      = local.group_by

        matcher {
          label = local.about_delivery.label
          match = "="
          value = local.about_delivery.value
        }
      }
    }
  }
}

moved {
  from = grafana_notification_policy.tree
  to   = grafana_notification_policy.tree[0]
}
