mock_provider "grafana" {}

variables {
  path        = "../alerts/tests/fixtures/sound"
  environment = "prod"
  datasource  = { name = "Prometheus", type = "prometheus", uid = "prom-eu" }
}

run "alerts" {
  command = plan

  module {
    source = "../alerts"
  }
}

run "every_rule_asks_the_environments_datasource_and_lies_in_the_rules_folder" {
  command = apply

  variables {
    alerts = run.alerts.alerts
  }

  assert {
    condition     = alltrue([for group in values(grafana_rule_group.group) : group.rule[0].data[0].datasource_uid == "prom-eu" && group.folder_uid == grafana_folder.alerts.uid])
    error_message = "datasource or folder are wrong"
  }
}

run "an_old_grafana_gets_a_group_per_rule_and_chooses_the_uids" {
  command = apply

  variables {
    alerts = run.alerts.alerts
  }

  assert {
    condition     = keys(grafana_rule_group.group) == ["GoThreadsHigh", "MemoryHigh"]
    error_message = "groups are ${jsonencode(keys(grafana_rule_group.group))}"
  }

  assert {
    condition     = grafana_rule_group.group["MemoryHigh"].rule[0].uid != "memory-high" && grafana_rule_group.group["MemoryHigh"].rule[0].keep_firing_for == null
    error_message = "it would refuse uid and keep_firing_for"
  }

  assert {
    condition     = grafana_rule_group.group["GoThreadsHigh"].rule[0].exec_err_state == "OK" && grafana_rule_group.group["MemoryHigh"].rule[0].exec_err_state == "Error"
    error_message = "it does not know KeepLast"
  }
}

run "a_new_grafana_gets_the_files_groups_uids_and_keep_firing_for" {
  command = apply

  variables {
    alerts          = run.alerts.alerts
    grafana_version = "12.1.0"
    contact_point   = "oncall"

    missing_series_evaluations = 5
  }

  assert {
    condition     = alltrue([for rule in grafana_rule_group.group["go-runtime"].rule : rule.missing_series_evals_to_resolve == 5])
    error_message = "a short loss of data would resolve alerts"
  }

  assert {
    condition     = keys(grafana_rule_group.group) == ["go-runtime"] && [for rule in grafana_rule_group.group["go-runtime"].rule : rule.uid] == ["go-threads-high", "memory-high"]
    error_message = "uids are not the files'"
  }

  assert {
    condition     = grafana_rule_group.group["go-runtime"].rule[1].keep_firing_for == "5m" && grafana_rule_group.group["go-runtime"].rule[0].notification_settings[0].contact_point == "oncall"
    error_message = "keep_firing_for or the contact point is missing"
  }

  assert {
    condition     = [for rule in grafana_rule_group.group["go-runtime"].rule : rule.exec_err_state] == ["KeepLast", "Error"]
    error_message = "a Prometheus that is away would be announced by every rule"
  }
}

run "the_version_before_the_one_that_takes_uids_is_told_apart" {
  command = apply

  variables {
    alerts          = run.alerts.alerts
    grafana_version = "11.5.1"
  }

  assert {
    condition     = !local.takes_uids
    error_message = "11.5.1 refuses uids of new rules"
  }
}
