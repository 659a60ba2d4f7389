# No provider, no resource: everything is known while planning.

variables {
  path            = "./tests/fixtures/sound"
  environment     = "prod"
  dashboards_path = "./tests/fixtures/dashboards"
}

run "rules_are_handed_on_typed" {
  command = plan

  assert {
    condition = alltrue([
      output.alerts.rules["GoThreadsHigh"].compare == "above",
      output.alerts.rules["GoThreadsHigh"].threshold == 8,
      output.alerts.rules["GoThreadsHigh"].pending_seconds == 5400,
      output.alerts.rules["MemoryHigh"].pending_seconds == 0,
      output.alerts.rules["MemoryHigh"].no_data_state == "NoData",
      output.alerts.rules["GoThreadsHigh"].no_data_state == "OK",
      output.alerts.rules["GoThreadsHigh"].panel == "3",
      output.alerts.rules["MemoryHigh"].panel == null,
    ])
    error_message = jsonencode(output.alerts.rules)
  }

  assert {
    condition     = output.alerts.groups == { go-runtime = { interval_seconds = 60, rules = ["GoThreadsHigh", "MemoryHigh"] } }
    error_message = jsonencode(output.alerts.groups)
  }

  assert {
    condition     = output.alerts.panel_thresholds == {}
    error_message = "without overrides no red line has to be moved, but it says ${jsonencode(output.alerts.panel_thresholds)}"
  }
}

run "notifications_can_be_routed_by_environment_and_severity" {
  command = plan

  variables {
    labels = { region = "eu" }
  }

  assert {
    condition     = tomap(output.alerts.rules["MemoryHigh"].labels) == tomap({ lookout_env = "prod", region = "eu", severity = "critical", team = "core" })
    error_message = jsonencode(output.alerts.rules["MemoryHigh"].labels)
  }
}

run "prometheus_gets_the_whole_comparison_and_the_words_of_the_message" {
  command = plan

  variables {
    console_url = "http://127.0.0.1:8090/"
  }

  assert {
    condition = yamldecode(output.alerts.rule_files["go.yaml"]).groups[0].rules[0] == {
      alert = "GoThreadsHigh"
      expr  = "(avg_over_time(go_threads[1m])) > 8"
      "for" = "1h30m"
      labels = {
        lookout_env = "prod"
        severity    = "warning"
      }
      annotations = {
        dashboard_url = "http://127.0.0.1:8090/d/go-runtime"
        description   = "{{ $labels.instance }} has {{ $value | humanize }}"
        panel_url     = "http://127.0.0.1:8090/d/go-runtime?viewPanel=3{{ with $labels.job }}&var-job={{ . | urlquery }}{{ end }}{{ with $labels.instance }}&var-instance={{ . | urlquery }}{{ end }}"
        runbook_url   = "http://127.0.0.1:8090/runbooks/threads"
        summary       = "【报警】线程 Threads"
        threshold     = "> {{ \"8\" | humanize }}"
        value         = "{{ $value | humanize }}"
      }
    }
    error_message = output.alerts.rule_files["go.yaml"]
  }

  assert {
    condition = alltrue([
      yamldecode(output.alerts.rule_files["go.yaml"]).groups[0].interval == "1m",
      yamldecode(output.alerts.rule_files["go.yaml"]).groups[0].rules[1].keep_firing_for == "5m",
      !can(yamldecode(output.alerts.rule_files["go.yaml"]).groups[0].rules[1]["for"]),
      yamldecode(output.alerts.rule_files["go.yaml"]).groups[0].rules[1].annotations.threshold == "> {{ \"268435456\" | humanize1024 }}B",
    ])
    error_message = output.alerts.rule_files["go.yaml"]
  }
}

run "without_a_console_there_is_nothing_to_link_to" {
  command = plan

  assert {
    condition     = !can(yamldecode(output.alerts.rule_files["go.yaml"]).groups[0].rules[0].annotations.panel_url)
    error_message = output.alerts.rule_files["go.yaml"]
  }
}

run "a_comment_does_not_swallow_the_comparison" {
  command = plan

  variables {
    path = "./tests/fixtures/comment"
  }

  assert {
    condition     = yamldecode(output.alerts.rule_files["go.yaml"]).groups[0].rules[0].expr == "(go_threads # all of them\n) > 8"
    error_message = output.alerts.rule_files["go.yaml"]
  }
}

run "a_runbook_path_is_not_a_link_until_it_is_known_where_it_leads" {
  command = plan

  assert {
    condition     = output.alerts.rules["GoThreadsHigh"].runbook == { runbook = "docs/runbooks/threads.md" } && output.alerts.rules["MemoryHigh"].runbook == { runbook_url = "https://runbooks.example.com/memory" }
    error_message = jsonencode(output.alerts.rules)
  }
}

run "a_runbook_path_becomes_a_link" {
  command = plan

  variables {
    runbook_base_url = "https://git.example.com/lookout/blob/main/"
  }

  assert {
    condition     = output.alerts.rules["GoThreadsHigh"].runbook == { runbook_url = "https://git.example.com/lookout/blob/main/docs/runbooks/threads.md" }
    error_message = jsonencode(output.alerts.rules)
  }
}

run "an_environment_has_its_own_threshold_period_window_and_interval" {
  command = plan

  variables {
    settings = "./tests/fixtures/settings.yaml"
  }

  assert {
    condition = alltrue([
      output.alerts.rules["GoThreadsHigh"].threshold == 64,
      output.alerts.rules["GoThreadsHigh"].expr == "avg_over_time(go_threads[30s])",
      output.alerts.rules["GoThreadsHigh"].pending_seconds == 10,
      output.alerts.rules["GoThreadsHigh"].labels.region == "eu",
      output.alerts.groups["go-runtime"].interval_seconds == 20,
      yamldecode(output.alerts.rule_files["go.yaml"]).groups[0].interval == "20s",
      yamldecode(output.alerts.rule_files["go.yaml"]).groups[0].rules[0].expr == "(avg_over_time(go_threads[30s])) > 64",
    ])
    error_message = jsonencode(output.alerts.rules)
  }

  assert {
    condition     = output.alerts.panel_thresholds == { go-runtime = { "3" = 64 } }
    error_message = "the red line to move is ${jsonencode(output.alerts.panel_thresholds)}"
  }
}

run "a_variable_counts_more_than_the_file_field_by_field" {
  command = plan

  variables {
    settings  = "./tests/fixtures/settings.yaml"
    overrides = { GoThreadsHigh = { threshold = 0, severity = "critical" } }
    intervals = { go-runtime = "30s" }
    labels    = { region = "us" }
  }

  assert {
    condition = alltrue([
      output.alerts.rules["GoThreadsHigh"].threshold == 0,
      output.alerts.rules["GoThreadsHigh"].severity == "critical",
      output.alerts.rules["GoThreadsHigh"].labels.severity == "critical",
      output.alerts.rules["GoThreadsHigh"].labels.region == "us",
      output.alerts.rules["GoThreadsHigh"].pending_seconds == 10,
      output.alerts.groups["go-runtime"].interval_seconds == 30,
    ])
    error_message = jsonencode(output.alerts.rules)
  }
}

run "a_paused_alert_is_not_in_the_rule_file" {
  command = plan

  variables {
    overrides = { GoThreadsHigh = { paused = true } }
  }

  assert {
    condition     = output.alerts.rules["GoThreadsHigh"].paused && [for rule in yamldecode(output.alerts.rule_files["go.yaml"]).groups[0].rules : rule.alert] == ["MemoryHigh"]
    error_message = jsonencode(output.alerts.rule_files)
  }
}

run "a_file_whose_alerts_are_all_paused_is_left_out" {
  command = plan

  variables {
    overrides = { GoThreadsHigh = { paused = true }, MemoryHigh = { paused = true } }
  }

  assert {
    condition     = output.alerts.rule_files == {}
    error_message = jsonencode(output.alerts.rule_files)
  }
}

run "the_shipped_rules_are_accepted_and_the_heartbeat_is_among_them" {
  command = plan

  variables {
    path            = "../../alerts"
    dashboards_path = "../../dashboards"
  }

  assert {
    condition     = alltrue([for rule in values(output.alerts.rules) : strcontains(rule.summary, "报警")]) && length(output.alerts.rules) >= 4
    error_message = jsonencode(output.alerts.rules)
  }

  assert {
    condition     = strcontains(output.alerts.rule_files["watchdog.yaml"], "\"alert\": \"Watchdog\"")
    error_message = output.alerts.rule_files["watchdog.yaml"]
  }
}
