mock_provider "grafana" {}

variables {
  prometheus_url = "https://prometheus.example.com"
  robot_webhook  = "https://oapi.dingtalk.com/robot/send?access_token=0123abcd"
}

run "a_new_grafana_keeps_its_notification_policy_and_default_datasource" {
  command = plan

  variables {
    grafana_version = "12.1.0"
  }

  assert {
    condition     = !module.dingtalk.owns_policy
    error_message = "somebody else's notification policy would be overwritten"
  }

  assert {
    condition     = length(setsubtract(["delivery", "go-runtime", "process", "service", "watchdog"], keys(module.alert_rules.groups))) == 0
    error_message = "groups are ${jsonencode(keys(module.alert_rules.groups))}"
  }
}

run "an_old_grafana_gets_a_policy_since_rules_cannot_name_their_contact_point" {
  command = plan

  variables {
    grafana_version = "10.1.0"
  }

  assert {
    condition     = module.dingtalk.owns_policy
    error_message = "nothing would be delivered"
  }
}

run "a_version_that_is_none_is_refused" {
  command = plan

  variables {
    grafana_version = "latest"
  }

  expect_failures = [var.grafana_version]
}
