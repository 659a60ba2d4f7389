# The environment as it would be planned, without a Grafana.

mock_provider "grafana" {}

variables {
  about_delivery = { email = ["oncall@example.com"] }
  robot_webhooks = {
    team = "https://oapi.dingtalk.com/robot/send?access_token=0123abcd"
  }
}

run "its_robots_are_its_own" {
  command = plan

  assert {
    condition     = output.contact_points == { team = "lookout-staging-team" }
    error_message = "contact points are ${jsonencode(output.contact_points)}"
  }
}

run "its_thresholds_are_its_own_and_so_are_the_red_lines" {
  command = plan

  assert {
    condition     = module.content.alerts.rules["GoThreadsHigh"].threshold == 32 && module.content.alerts.panel_thresholds["go-runtime"]["3"] == 32
    error_message = "the threshold is ${module.content.alerts.rules["GoThreadsHigh"].threshold}, the lines are ${jsonencode(module.content.alerts.panel_thresholds)}"
  }
}

run "pending_periods_are_minutes_and_not_the_demos_seconds" {
  command = plan

  assert {
    condition = alltrue(flatten([
      for group in values(module.content.alerts.groups) : [
        for alert in group.rules : group.interval_seconds >= 60 && module.content.alerts.rules[alert].pending_seconds >= 60
        if contains(["ErrorRatioHigh", "GoThreadsHigh", "ProcessMemoryHigh", "TargetDown"], alert)
      ]
    ]))
    error_message = "groups are ${jsonencode(module.content.alerts.groups)}"
  }
}

run "native_delivery_does_not_start_without_the_robots_addresses" {
  command = plan

  variables {
    delivery       = "native"
    robot_webhooks = {}
  }

  expect_failures = [var.robot_webhooks]
}

run "the_relay_needs_no_address_and_waits_for_the_watchdog" {
  command = plan

  variables {
    robot_webhooks = {}
  }

  assert {
    condition     = !module.content.alerts.rules["Watchdog"].paused
    error_message = "the relay would raise the alarm for ever"
  }
}

run "without_the_relay_the_watchdog_is_paused" {
  command = plan

  variables {
    delivery = "native"
  }

  assert {
    condition     = module.content.alerts.rules["Watchdog"].paused
    error_message = "an alert that always fires would reach people"
  }
}

run "who_tells_that_the_relay_is_down_has_to_be_said" {
  command = plan

  variables {
    about_delivery = null
  }

  expect_failures = [var.about_delivery]
}

run "without_a_relay_nobody_has_to" {
  command = plan

  variables {
    about_delivery = null
    delivery       = "native"
  }

  assert {
    condition     = output.about_delivery == null
    error_message = "the contact point is ${jsonencode(output.about_delivery)}"
  }
}

run "a_robot_of_its_own_is_a_way_beside_the_relay" {
  command = plan

  variables {
    about_delivery = { robot = "watch" }
    robot_webhooks = { watch = "https://oapi.dingtalk.com/robot/send?access_token=89abcdef" }
  }

  assert {
    condition     = output.about_delivery == "lookout-staging-about-delivery"
    error_message = "the contact point is ${jsonencode(output.about_delivery)}"
  }
}

run "with_prometheus_as_the_engine_grafana_gets_no_rules_and_notifies_no_one" {
  command = plan

  variables {
    alerting       = "prometheus"
    about_delivery = null
  }

  assert {
    condition     = output.contact_points == {} && output.timing == null && length(module.content.alerts.rules) > 0
    error_message = "contact points are ${jsonencode(output.contact_points)}"
  }
}
