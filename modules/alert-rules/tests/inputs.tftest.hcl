mock_provider "grafana" {}

variables {
  path        = "./tests/fixtures/sound"
  environment = "prod"
  datasource  = { name = "Prometheus", type = "prometheus", uid = "prometheus" }
  dashboards = {
    go-runtime = { file = "./tests/fixtures/dashboards/go/go-runtime.json", folder = "go", title = "Go runtime" }
  }
}

run "a_rule_becomes_query_reduce_and_threshold" {
  command = plan

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
}

run "states_without_data_are_the_files" {
  command = plan

  assert {
    condition     = grafana_rule_group.group["GoThreadsHigh"].rule[0].no_data_state == "OK" && grafana_rule_group.group["MemoryHigh"].rule[0].no_data_state == "NoData"
    error_message = "no_data_state was lost"
  }
}

run "notifications_can_be_routed_by_environment_and_severity" {
  command = plan

  variables {
    labels = { region = "eu" }
  }

  assert {
    condition     = grafana_rule_group.group["MemoryHigh"].rule[0].labels == tomap({ lookout_env = "prod", region = "eu", severity = "critical", team = "core" })
    error_message = "labels are ${jsonencode(grafana_rule_group.group["MemoryHigh"].rule[0].labels)}"
  }
}

run "messages_get_values_with_units_and_a_link_to_the_panel" {
  command = plan

  assert {
    condition     = grafana_rule_group.group["MemoryHigh"].rule[0].annotations.threshold == "> {{ \"268435456\" | humanize1024 }}B"
    error_message = "threshold is ${grafana_rule_group.group["MemoryHigh"].rule[0].annotations.threshold}"
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
}

run "a_runbook_path_is_no_link_until_it_is_known_where_it_leads" {
  command = plan

  assert {
    condition     = grafana_rule_group.group["GoThreadsHigh"].rule[0].annotations.runbook == "docs/runbooks/threads.md" && !can(grafana_rule_group.group["GoThreadsHigh"].rule[0].annotations.runbook_url)
    error_message = "annotations are ${jsonencode(grafana_rule_group.group["GoThreadsHigh"].rule[0].annotations)}"
  }

  assert {
    condition     = grafana_rule_group.group["MemoryHigh"].rule[0].annotations.runbook_url == "https://runbooks.example.com/memory"
    error_message = "a whole address stays as it is"
  }
}

run "a_runbook_path_becomes_a_link" {
  command = plan

  variables {
    runbook_base_url = "https://git.example.com/lookout/blob/main/"
  }

  assert {
    condition     = grafana_rule_group.group["GoThreadsHigh"].rule[0].annotations.runbook_url == "https://git.example.com/lookout/blob/main/docs/runbooks/threads.md"
    error_message = "annotations are ${jsonencode(grafana_rule_group.group["GoThreadsHigh"].rule[0].annotations)}"
  }
}

run "an_environment_has_its_own_threshold_period_window_and_interval" {
  command = plan

  variables {
    overrides = { GoThreadsHigh = { threshold = 64, pending = "10s", window = "30s" } }
    intervals = { go-runtime = "20s" }
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
    condition     = output.panel_thresholds == { go-runtime = { "3" = 64 } }
    error_message = "the red line to move is ${jsonencode(output.panel_thresholds)}"
  }
}

run "a_threshold_of_zero_is_a_threshold" {
  command = plan

  variables {
    overrides = { GoThreadsHigh = { threshold = 0 } }
  }

  assert {
    condition     = jsondecode(grafana_rule_group.group["GoThreadsHigh"].rule[0].data[2].model).conditions[0].evaluator.params == [0]
    error_message = "0 was taken for none"
  }
}

run "without_overrides_no_red_line_has_to_be_moved" {
  command = plan

  assert {
    condition     = output.panel_thresholds == {}
    error_message = jsonencode(output.panel_thresholds)
  }
}

run "the_shipped_rules_are_accepted" {
  command = plan

  variables {
    path       = "../../alerts"
    dashboards = {}
  }

  assert {
    condition     = alltrue([for rule in values(output.rules) : strcontains(rule.summary, "报警")]) && length(output.rules) >= 4
    error_message = "rules are ${jsonencode(output.rules)}"
  }
}

run "an_unknown_field_is_refused" {
  command = plan

  variables {
    path = "./tests/fixtures/unknown-field"
  }

  assert {
    condition     = local.findings == ["tests/fixtures/unknown-field/go.yaml: rule \"GoThreadsHigh\": unknown field \"fro\"; known are alert, annotations, exec_err_state, expr, for, keep_firing_for, labels, no_data_state, panel, threshold, uid, unit, window"]
    error_message = "it says ${jsonencode(local.findings)}"
  }

  expect_failures = [output.rules]
}

run "a_threshold_that_is_no_number_is_refused" {
  command = plan

  variables {
    path = "./tests/fixtures/no-number"
  }

  assert {
    condition     = local.findings == ["tests/fixtures/no-number/go.yaml: rule \"GoThreadsHigh\": threshold above is \"eight\", which is no number"]
    error_message = "it says ${jsonencode(local.findings)}"
  }

  expect_failures = [output.rules]
}

run "a_file_that_is_not_yaml_is_refused" {
  command = plan

  variables {
    path = "./tests/fixtures/not-yaml"
  }

  expect_failures = [output.rules]
}

run "an_alert_in_two_files_is_refused" {
  command = plan

  variables {
    path = "./tests/fixtures/twice"
  }

  expect_failures = [output.rules]
}

run "an_interval_that_grafana_would_refuse_is_refused_first" {
  command = plan

  variables {
    path = "./tests/fixtures/odd-interval"
  }

  expect_failures = [output.rules]
}

run "a_link_to_a_panel_that_does_not_exist_is_refused" {
  command = plan

  variables {
    path = "./tests/fixtures/no-such-panel"
  }

  assert {
    condition     = local.findings == ["tests/fixtures/no-such-panel/go.yaml: rule \"GoThreadsHigh\": dashboard \"go-runtime\" has no panel 99"]
    error_message = "it says ${jsonencode(local.findings)}"
  }

  expect_failures = [output.rules]
}

run "an_override_of_an_alert_that_does_not_exist_is_refused" {
  command = plan

  variables {
    overrides = { GoThreadsHihg = { threshold = 64 } }
  }

  expect_failures = [output.rules]
}

run "a_window_for_a_rule_that_has_none_is_refused" {
  command = plan

  variables {
    overrides = { MemoryHigh = { window = "30s" } }
  }

  expect_failures = [output.rules]
}

run "a_pending_period_that_is_no_duration_is_refused" {
  command = plan

  variables {
    overrides = { GoThreadsHigh = { pending = "soon" } }
  }

  expect_failures = [var.overrides]
}

run "an_override_that_is_no_number_is_refused" {
  command = plan

  variables {
    overrides = { GoThreadsHigh = { threshold = "eight" } }
  }

  expect_failures = [var.overrides]
}

run "a_label_that_would_break_the_routing_is_refused" {
  command = plan

  variables {
    labels = { lookout_env = "elsewhere" }
  }

  expect_failures = [var.labels]
}

run "a_directory_without_rules_is_refused" {
  command = plan

  variables {
    path = "./tests/fixtures/nowhere"
  }

  expect_failures = [var.path]
}

run "a_direct_contact_point_is_refused_for_a_grafana_without_it" {
  command = plan

  variables {
    contact_point = "oncall"
  }

  expect_failures = [output.rules]
}
