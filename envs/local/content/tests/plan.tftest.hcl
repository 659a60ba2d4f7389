# The environment as it would be planned, without a Grafana.

mock_provider "grafana" {}

run "a_demo_takes_less_than_a_minute" {
  command = plan

  # Breach to message at worst: a scrape, an evaluation, the pending period, another evaluation, group_wait.
  assert {
    condition = alltrue(flatten([
      for group in values(module.content.alerts.groups) : [
        for alert in group.rules : 2 + 2 * group.interval_seconds + module.content.alerts.rules[alert].pending_seconds + output.timing.group_wait < 60
        if contains(["ErrorRatioHigh", "GoThreadsHigh", "ProcessMemoryHigh", "RelayDown", "TargetDown"], alert)
      ]
    ]))
    error_message = "groups are ${jsonencode(module.content.alerts.groups)}"
  }
}

run "the_robot_of_the_environment_may_be_reached_without_https" {
  command = plan

  assert {
    condition     = output.contact_points == { ops = "lookout-local-ops" }
    error_message = "contact points are ${jsonencode(output.contact_points)}"
  }
}

run "the_relay_waits_for_the_watchdog_and_needs_no_address" {
  command = plan

  variables {
    robot_webhooks = {}
  }

  assert {
    condition     = output.contact_points == { ops = "lookout-local-ops" } && !module.content.alerts.rules["Watchdog"].paused
    error_message = "contact points are ${jsonencode(output.contact_points)}"
  }
}

run "native_delivery_can_be_switched_to_and_has_no_watchdog" {
  command = plan

  variables {
    delivery = "native"
  }

  assert {
    condition     = output.contact_points == { ops = "lookout-local-ops" } && module.content.alerts.rules["Watchdog"].paused
    error_message = "an alert that always fires would reach people"
  }
}

run "that_the_relay_is_down_is_told_without_the_relay" {
  command = plan

  assert {
    condition     = output.about_delivery == "lookout-local-about-delivery"
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
