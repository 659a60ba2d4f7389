# One finding of each kind and that it stops the plan; internal/rules/testdata/cases has the others.

variables {
  path            = "./tests/fixtures/sound"
  environment     = "prod"
  dashboards_path = "./tests/fixtures/dashboards"
}

run "an_unknown_field_is_refused" {
  command = plan

  variables {
    path = "./tests/fixtures/unknown-field"
  }

  assert {
    condition     = local.findings == ["tests/fixtures/unknown-field/go.yaml: rule \"GoThreadsHigh\": unknown field \"fro\" in a rule; known are alert, annotations, exec_err_state, expr, for, keep_firing_for, labels, no_data_state, panel, threshold, uid, unit, window"]
    error_message = "it says ${jsonencode(local.findings)}"
  }

  expect_failures = [output.alerts]
}

run "a_threshold_that_is_not_a_number_is_refused" {
  command = plan

  variables {
    path = "./tests/fixtures/no-number"
  }

  assert {
    condition     = local.findings == ["tests/fixtures/no-number/go.yaml: rule \"GoThreadsHigh\": threshold above is \"eight\", which is not a finite number"]
    error_message = "it says ${jsonencode(local.findings)}"
  }

  expect_failures = [output.alerts]
}

run "a_file_that_is_not_yaml_is_refused" {
  command = plan

  variables {
    path = "./tests/fixtures/not-yaml"
  }

  expect_failures = [output.alerts]
}

run "an_alert_in_two_files_is_refused" {
  command = plan

  variables {
    path = "./tests/fixtures/twice"
  }

  expect_failures = [output.alerts]
}

run "an_interval_that_grafana_would_refuse_is_refused_first" {
  command = plan

  variables {
    path = "./tests/fixtures/odd-interval"
  }

  expect_failures = [output.alerts]
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

  expect_failures = [output.alerts]
}

run "a_dashboard_that_does_not_exist_is_refused" {
  command = plan

  variables {
    dashboards_path = "./tests/fixtures/twice"
  }

  assert {
    condition     = length(local.findings) == 1 && strcontains(local.findings[0], "there is no dashboard \"go-runtime\"")
    error_message = "it says ${jsonencode(local.findings)}"
  }

  expect_failures = [output.alerts]
}

run "settings_with_unknown_keys_or_alerts_are_refused" {
  command = plan

  variables {
    settings = "./tests/fixtures/wrong-settings.yaml"
  }

  assert {
    condition = local.findings == [
      "tests/fixtures/wrong-settings.yaml: unknown field \"interval\"; known are intervals, labels, overrides",
      "tests/fixtures/wrong-settings.yaml: unknown field \"treshold\" in overrides GoThreadsHigh; known are paused, pending, severity, threshold, window",
      "overrides has \"NoSuchAlert\", but there is no such alert; known are GoThreadsHigh, MemoryHigh",
    ]
    error_message = "it says ${jsonencode(local.findings)}"
  }

  expect_failures = [output.alerts]
}

run "settings_that_are_not_there_are_refused" {
  command = plan

  variables {
    settings = "./tests/fixtures/nowhere.yaml"
  }

  expect_failures = [var.settings]
}

run "values_that_no_engine_takes_are_refused" {
  command = plan

  variables {
    overrides = { GoThreadsHigh = { pending = "soon", severity = "loud", threshold = "many" }, MemoryHigh = { window = "30s" } }
    intervals = { go-runtime = "15s", elsewhere = "10s" }
    labels    = { lookout_env = "elsewhere", "a-b" = "c" }
  }

  assert {
    condition = local.findings == [
      "overrides: the threshold of GoThreadsHigh is many, which is not a finite number",
      "overrides: the severity of GoThreadsHigh is \"loud\"; write critical, warning or info",
      "overrides: pending of GoThreadsHigh is \"soon\"; write a duration in whole seconds of less than a year, such as 5m",
      "intervals: group \"go-runtime\" has \"15s\"; write 10s or a multiple of that",
      "labels: \"a-b\" is not a valid label name; use letters, digits and _",
      "labels must not set lookout_env: alerts are named and routed by it",
      "intervals has \"elsewhere\", but there is no such group; known are go-runtime",
      "overrides gives \"MemoryHigh\" a window, but the rule in tests/fixtures/sound/go.yaml has none",
    ]
    error_message = "it says ${jsonencode(local.findings)}"
  }

  expect_failures = [output.alerts]
}

run "a_year_is_refused_since_grafanas_provider_cannot_read_it_back" {
  command = plan

  variables {
    overrides = { GoThreadsHigh = { pending = "365d" } }
  }

  expect_failures = [output.alerts]
}

run "a_directory_without_rules_is_refused" {
  command = plan

  variables {
    path = "./tests/fixtures/nowhere"
  }

  expect_failures = [var.path]
}

run "an_environment_that_is_not_a_name_is_refused" {
  command = plan

  variables {
    environment = "Prod EU"
  }

  expect_failures = [var.environment]
}

run "a_console_without_a_scheme_is_refused" {
  command = plan

  variables {
    console_url = "127.0.0.1:8090"
  }

  expect_failures = [var.console_url]
}
