# Who gets what. Routed by Lookout's own labels; what no route takes goes to the default target.

locals {
  # Set by alerts/delivery.yaml for alerts about the relay itself.
  about_delivery = "lookout_about=\"delivery\""
  group_by       = ["alertname", "lookout_env"]

  # What the relay's bearer_token_file wants to see.
  relay_login = { for file in var.relay_token_file[*] : "http_config" => { authorization = { credentials_file = "${local.secrets_path}/${file}" } } }

  # Both relays of a pair get everything.
  relay_urls = [for url in compact([var.relay_url, var.second_relay_url]) : trimsuffix(url, "/")]

  targets = toset(concat(tolist(var.targets), [var.default_target]))

  # The text of a robot that is reached without the relay: what is wrong, where, and since when.
  robot_text = "{{ range .Alerts }}【${var.keyword}】{{ if eq .Status \"resolved\" }}已恢复 Resolved{{ else }}触发 Firing{{ end }}：{{ .Annotations.summary }}\n{{ .Annotations.description }}\n{{ end }}"

  about_delivery_receiver = { for key, value in {
    name          = "about-delivery"
    email_configs = length(var.about_delivery.email) == 0 ? null : [{ send_resolved = true, to = join(", ", var.about_delivery.email) }]
    webhook_configs = concat(
      [for url in var.about_delivery.webhook[*] : { send_resolved = true, url = url }],
      [for robot in [{ for key, value in {
        payload       = { msgtype = "text", text = { content = local.robot_text } }
        send_resolved = true
        url           = var.about_delivery.robot_url
        url_file      = try("${local.secrets_path}/${var.about_delivery.robot_file}", null)
      } : key => value if value != null }] : robot if var.about_delivery.robot_url != null || var.about_delivery.robot_file != null],
    )
  } : key => value if value != null && try(length(value) > 0, true) }

  receivers = concat(
    [for target in sort(tolist(local.targets)) : {
      name            = "target-${target}"
      webhook_configs = [for relay in local.relay_urls : merge(local.relay_login, { send_resolved = true, timeout = "30s", url = "${relay}/v1/robots/${target}" })]
    }],
    [{ for key, value in {
      name = "heartbeat"
      # The end of an alert that always fires is the relay's to notice, and not a sign of life.
      webhook_configs = var.heartbeat == null ? null : [for relay in local.relay_urls : merge(local.relay_login, { send_resolved = false, url = "${relay}/v1/heartbeats/${var.heartbeat.name}" })]
    } : key => value if value != null }],
    [for receiver in [local.about_delivery_receiver] : receiver if local.has_about_delivery],
  )

  has_about_delivery = length(var.about_delivery.email) > 0 || anytrue([for way in [var.about_delivery.webhook, var.about_delivery.robot_url, var.about_delivery.robot_file] : way != null])

  route = {
    group_by        = local.group_by
    group_interval  = var.timing.group_interval
    group_wait      = var.timing.group_wait
    receiver        = "target-${var.default_target}"
    repeat_interval = var.timing.repeat_interval
    routes = concat(
      [{ for key, value in {
        group_by       = ["alertname"]
        group_interval = try(var.heartbeat.interval, null)
        group_wait     = "1s"
        matchers       = ["alertname=\"${try(var.heartbeat.alert, "Watchdog")}\""]
        receiver       = "heartbeat"
        # What has not changed is sent with the first group_interval after this; anything near the group_interval would
        # leave every other one out.
        repeat_interval = "1s"
      } : key => value if value != null }],
      # Twice, here and by the relay: what is wrong with delivery may be wrong with either.
      [for receiver in ["about-delivery"] : { continue = true, matchers = [local.about_delivery], receiver = receiver } if local.has_about_delivery],
      [for route in var.routes : { for key, value in {
        active_time_intervals = length(route.active_intervals) == 0 ? null : route.active_intervals
        continue              = route.continue ? true : null
        matchers              = concat([for label, value in route.labels : "${label}=${jsonencode(value)}"], route.matchers)
        mute_time_intervals   = length(route.mute_intervals) == 0 ? null : route.mute_intervals
        receiver              = "target-${route.target}"
      } : key => value if value != null }],
      # A route that fits keeps its alerts from the default above.
      [for target in [var.default_target] : { matchers = [local.about_delivery], receiver = "target-${target}" } if local.has_about_delivery],
    )
  }

  inhibitions = concat([
    # A target that is down can't say anything else that is true; nothing about delivery is ever held back.
    {
      equal           = ["job", "instance"]
      source_matchers = ["alertname=\"TargetDown\""]
      target_matchers = ["alertname!~\"TargetDown|Watchdog\"", "lookout_about!=\"delivery\"", "instance!=\"\""]
    },
    {
      equal           = ["alertname", "instance"]
      source_matchers = ["severity=\"critical\""]
      target_matchers = ["severity=\"warning\"", "lookout_about!=\"delivery\""]
    },
    ], [
    # An error budget that burns over a short window also burns over the longer ones.
    for windows in [["1h", "6h|1d|3d"], ["6h", "1d|3d"], ["1d", "3d"]] : {
      equal           = ["slo", "job"]
      source_matchers = ["slo!=\"\"", "slo_window=\"${windows[0]}\""]
      target_matchers = ["slo!=\"\"", "slo_window=~\"${windows[1]}\"", "lookout_about!=\"delivery\""]
    }
    ], [for rule in var.inhibitions : {
      equal           = rule.equal
      source_matchers = rule.source
      target_matchers = concat(rule.target, ["lookout_about!=\"delivery\""])
  }])

  time_intervals = [for name, interval in var.mute_intervals : {
    name = name
    time_intervals = [for span in interval : { for key, value in {
      days_of_month = length(span.days_of_month) == 0 ? null : span.days_of_month
      location      = span.location
      months        = length(span.months) == 0 ? null : span.months
      times         = length(span.times) == 0 ? null : [for time in span.times : { end_time = time.end, start_time = time.start }]
      weekdays      = length(span.weekdays) == 0 ? null : span.weekdays
      years         = length(span.years) == 0 ? null : span.years
    } : key => value if value != null }]
  }]
}
