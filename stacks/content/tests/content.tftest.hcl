# The flow with a minimum of values; each environment's own are tested in envs.

mock_provider "grafana" {}

variables {
  environment = "prod"
  repository  = "../.."
  alerting    = "grafana"
  delivery    = { mode = "relay", robots = ["ops"] }
}

run "grafana_gets_rules_contact_points_and_the_heartbeat" {
  command = plan

  assert {
    condition     = output.contact_points == { ops = "lookout-prod-ops" } && length(module.alert_rules) == 1 && !output.alerts.rules["Watchdog"].paused
    error_message = jsonencode(output.contact_points)
  }
}

run "native_delivery_pauses_the_watchdog" {
  command = plan

  variables {
    delivery       = { mode = "native", robots = ["ops"] }
    robot_webhooks = { ops = "https://oapi.dingtalk.com/robot/send?access_token=0123abcd" }
  }

  assert {
    condition     = output.alerts.rules["Watchdog"].paused
    error_message = "an alert that always fires would reach people"
  }
}

run "with_prometheus_as_the_engine_only_datasource_and_dashboards_are_written" {
  command = plan

  variables {
    alerting       = "prometheus"
    alert_settings = "../../envs/prod/alerts.yaml"
  }

  assert {
    condition     = output.contact_points == {} && output.timing == null && length(module.alert_rules) + length(module.dingtalk) == 0
    error_message = jsonencode(output.contact_points)
  }

  # The engine is another, the red lines are the same.
  assert {
    condition     = output.alerts.panel_thresholds["go-runtime"]["3"] == 64
    error_message = jsonencode(output.alerts.panel_thresholds)
  }
}

run "an_unknown_engine_is_refused" {
  command = plan

  variables {
    alerting = "mimir"
  }

  expect_failures = [var.alerting]
}
