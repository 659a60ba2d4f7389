mock_provider "grafana" {}

variables {
  path        = "../alerts/tests/fixtures/sound"
  environment = "prod"
  datasource  = { name = "Prometheus", type = "prometheus", uid = "prometheus" }
}

run "alerts" {
  command = plan

  module {
    source = "../alerts"
  }
}

run "a_rule_becomes_query_reduce_and_threshold" {
  command = plan

  variables {
    alerts = run.alerts.alerts
  }

  assert {
    condition     = [for data in grafana_rule_group.group["GoThreadsHigh"].rule[0].data : data.ref_id] == ["A", "B", "C"]
    error_message = "nodes are not A, B, C"
  }

  assert {
    condition     = jsondecode(grafana_rule_group.group["GoThreadsHigh"].rule[0].data[0].model).expr == "(avg_over_time(go_threads[1m])) >= -Inf"
    error_message = "the query is ${grafana_rule_group.group["GoThreadsHigh"].rule[0].data[0].model}"
  }

  assert {
    condition = (
      jsondecode(grafana_rule_group.group["GoThreadsHigh"].rule[0].data[1].model).reducer == "last" &&
      jsondecode(grafana_rule_group.group["GoThreadsHigh"].rule[0].data[2].model).conditions == [{ evaluator = { params = [8], type = "gt" } }] &&
      grafana_rule_group.group["GoThreadsHigh"].rule[0].condition == "C"
    )
    error_message = "the threshold is ${grafana_rule_group.group["GoThreadsHigh"].rule[0].data[2].model}"
  }

  assert {
    condition     = !strcontains(join("", [for data in grafana_rule_group.group["GoThreadsHigh"].rule[0].data : data.model]), "maxDataPoints")
    error_message = "maxDataPoints comes back as a difference"
  }

  assert {
    condition     = grafana_rule_group.group["GoThreadsHigh"].rule[0].for == "5400s" && grafana_rule_group.group["MemoryHigh"].rule[0].for == "0s"
    error_message = "for is ${grafana_rule_group.group["GoThreadsHigh"].rule[0].for} and ${grafana_rule_group.group["MemoryHigh"].rule[0].for}"
  }

  assert {
    condition     = grafana_rule_group.group["GoThreadsHigh"].rule[0].no_data_state == "OK" && grafana_rule_group.group["MemoryHigh"].rule[0].no_data_state == "NoData"
    error_message = "no_data_state was lost"
  }

  assert {
    condition     = grafana_rule_group.group["MemoryHigh"].rule[0].labels == tomap({ lookout_env = "prod", severity = "critical", team = "core" })
    error_message = "labels are ${jsonencode(grafana_rule_group.group["MemoryHigh"].rule[0].labels)}"
  }
}

run "messages_get_values_with_units_and_a_link_to_the_panel" {
  command = plan

  variables {
    alerts = run.alerts.alerts
  }

  assert {
    condition     = grafana_rule_group.group["MemoryHigh"].rule[0].annotations.threshold == "> {{ \"268435456\" | humanize1024 }}B"
    error_message = "threshold is ${grafana_rule_group.group["MemoryHigh"].rule[0].annotations.threshold}"
  }

  assert {
    condition     = endswith(grafana_rule_group.group["MemoryHigh"].rule[0].annotations.value, "{{- end -}}{{ $value | humanize1024 }}B")
    error_message = "value is ${grafana_rule_group.group["MemoryHigh"].rule[0].annotations.value}"
  }

  assert {
    condition     = endswith(grafana_rule_group.group["GoThreadsHigh"].rule[0].annotations.description, "{{- end -}}{{ $labels.instance }} has {{ $value | humanize }}")
    error_message = "Grafana does not know $value as Prometheus does: ${grafana_rule_group.group["GoThreadsHigh"].rule[0].annotations.description}"
  }

  assert {
    condition     = grafana_rule_group.group["MemoryHigh"].rule[0].annotations.description == "much"
    error_message = "a text without a value needs nothing before it"
  }

  assert {
    condition     = grafana_rule_group.group["GoThreadsHigh"].rule[0].annotations.__dashboardUid__ == "go-runtime" && grafana_rule_group.group["GoThreadsHigh"].rule[0].annotations.__panelId__ == "3"
    error_message = "the link to the panel is missing"
  }

  assert {
    condition     = grafana_rule_group.group["GoThreadsHigh"].rule[0].annotations.runbook == "docs/runbooks/threads.md" && grafana_rule_group.group["MemoryHigh"].rule[0].annotations.runbook_url == "https://runbooks.example.com/memory"
    error_message = "annotations are ${jsonencode(grafana_rule_group.group["GoThreadsHigh"].rule[0].annotations)}"
  }
}

run "alerts_of_another_environment" {
  command = plan

  module {
    source = "../alerts"
  }

  variables {
    settings  = "../alerts/tests/fixtures/settings.yaml"
    overrides = { MemoryHigh = { paused = true, threshold = 0 } }
  }
}

run "an_environment_has_its_own_threshold_period_window_and_interval" {
  command = plan

  variables {
    alerts = run.alerts_of_another_environment.alerts
  }

  assert {
    condition     = jsondecode(grafana_rule_group.group["GoThreadsHigh"].rule[0].data[2].model).conditions[0].evaluator.params == [64]
    error_message = "the threshold is the file's"
  }

  assert {
    condition     = strcontains(jsondecode(grafana_rule_group.group["GoThreadsHigh"].rule[0].data[0].model).expr, "go_threads[30s]")
    error_message = "the window is the file's"
  }

  assert {
    condition     = grafana_rule_group.group["GoThreadsHigh"].rule[0].for == "10s" && grafana_rule_group.group["GoThreadsHigh"].interval_seconds == 20
    error_message = "period or interval are the file's"
  }

  assert {
    condition     = jsondecode(grafana_rule_group.group["MemoryHigh"].rule[0].data[2].model).conditions[0].evaluator.params == [0] && grafana_rule_group.group["MemoryHigh"].rule[0].is_paused
    error_message = "a threshold of 0 was taken for none, or the alert is not paused"
  }

  assert {
    condition     = jsonencode(output.groups) == jsonencode({ GoThreadsHigh = { interval = 20, pending = { GoThreadsHigh = 10 } }, MemoryHigh = { interval = 20, pending = { MemoryHigh = 0 } } })
    error_message = jsonencode(output.groups)
  }
}

run "a_direct_contact_point_is_refused_for_a_grafana_without_it" {
  command = plan

  variables {
    alerts        = run.alerts.alerts
    contact_point = "oncall"
  }

  expect_failures = [var.contact_point]
}

run "a_version_that_is_not_one_is_refused" {
  command = plan

  variables {
    alerts          = run.alerts.alerts
    grafana_version = "latest"
  }

  expect_failures = [var.grafana_version]
}

run "evaluations_without_a_series_are_refused_for_a_grafana_without_them" {
  command = plan

  variables {
    alerts                     = run.alerts.alerts
    grafana_version            = "11.6.0"
    missing_series_evaluations = 5
  }

  expect_failures = [var.missing_series_evaluations]
}

run "half_an_evaluation_is_refused" {
  command = plan

  variables {
    alerts                     = run.alerts.alerts
    grafana_version            = "12.0.0"
    missing_series_evaluations = 2.5
  }

  expect_failures = [var.missing_series_evaluations]
}
