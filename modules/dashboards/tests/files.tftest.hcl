# What is found in the directory, and refused: no provider is asked.

run "a_file_that_is_not_json_is_refused" {
  command = plan

  module {
    source = "./files"
  }

  variables {
    path = "./tests/fixtures/broken"
  }

  expect_failures = [output.files]
}

run "two_dashboards_with_one_uid_are_refused_across_folders" {
  command = plan

  module {
    source = "./files"
  }

  variables {
    path = "./tests/fixtures/twice"
  }

  expect_failures = [output.files]
}

run "a_dashboard_with_its_folders_title_is_refused" {
  command = plan

  module {
    source = "./files"
  }

  variables {
    path = "./tests/fixtures/folder-title"
  }

  expect_failures = [output.files]
}

run "a_uid_other_than_the_file_name_is_refused" {
  command = plan

  module {
    source = "./files"
  }

  variables {
    path = "./tests/fixtures/misnamed"
  }

  expect_failures = [output.files]
}

run "a_file_outside_of_a_folder_is_refused" {
  command = plan

  module {
    source = "./files"
  }

  variables {
    path = "./tests/fixtures/stray"
  }

  expect_failures = [output.files]
}

run "a_title_with_outer_blanks_is_refused" {
  command = plan

  module {
    source = "./files"
  }

  variables {
    path = "./tests/fixtures/blanks"
  }

  expect_failures = [output.files]
}

run "a_refresh_below_grafanas_minimum_is_refused" {
  command = plan

  module {
    source = "./files"
  }

  variables {
    path = "./tests/fixtures/fast"
  }

  expect_failures = [output.files]
}

run "a_refresh_that_this_grafana_allows_is_accepted" {
  command = plan

  module {
    source = "./files"
  }

  variables {
    path                 = "./tests/fixtures/fast"
    min_refresh_interval = "1s"
  }

  assert {
    condition     = output.files.dashboards["fast"].form == "classic" && output.files.dashboards["fast"].title == "Fast"
    error_message = "found ${jsonencode(output.files.dashboards)}"
  }
}

run "grafanas_own_folder_is_refused" {
  command = plan

  module {
    source = "./files"
  }

  variables {
    path = "./tests/fixtures/general"
  }

  expect_failures = [output.files]
}

run "the_folder_of_the_alert_rules_is_refused" {
  command = plan

  module {
    source = "./files"
  }

  variables {
    path          = "./tests/fixtures/alerts"
    other_folders = { lookout-alerts = "Alerts" }
  }

  expect_failures = [output.files]
}

run "the_title_of_the_alert_rules_folder_is_refused" {
  command = plan

  module {
    source = "./files"
  }

  variables {
    path              = "./tests/fixtures/alerts"
    folder_uid_prefix = "mine-"
    other_folders     = { lookout-alerts = "Alerts" }
  }

  expect_failures = [output.files]
}

run "the_same_directory_is_accepted_with_a_title_and_a_uid_of_its_own" {
  command = plan

  module {
    source = "./files"
  }

  variables {
    path              = "./tests/fixtures/alerts"
    folder_uid_prefix = "mine-"
    folder_titles     = { alerts = "About alerts" }
    other_folders     = { lookout-alerts = "Alerts" }
  }

  assert {
    condition     = output.files.dashboards["some"].form == "classic" && output.files.dashboards["some"].title == "Some"
    error_message = "found ${jsonencode(output.files.dashboards)}"
  }
}

run "two_folders_with_one_title_are_refused" {
  command = plan

  module {
    source = "./files"
  }

  variables {
    path          = "./tests/fixtures/sound"
    folder_titles = { go = "on CALL" }
  }

  expect_failures = [output.files]
}

run "a_title_for_a_directory_that_is_not_there_is_refused" {
  command = plan

  module {
    source = "./files"
  }

  variables {
    path          = "./tests/fixtures/sound"
    folder_titles = { goo = "Go" }
  }

  expect_failures = [output.files]
}

run "a_dashboard_with_another_folders_title_is_refused" {
  command = plan

  module {
    source = "./files"
  }

  variables {
    path = "./tests/fixtures/other-folder"
  }

  expect_failures = [output.files]
}

run "a_dashboard_with_the_uid_of_a_folder_is_refused" {
  command = plan

  module {
    source = "./files"
  }

  variables {
    path = "./tests/fixtures/folder-uid"
  }

  expect_failures = [output.files]
}

run "the_character_nul_is_refused" {
  command = plan

  module {
    source = "./files"
  }

  variables {
    path = "./tests/fixtures/nul"
  }

  expect_failures = [output.files]
}

run "a_text_about_nul_is_accepted" {
  command = plan

  module {
    source = "./files"
  }

  variables {
    path = "./tests/fixtures/escaped"
  }

  assert {
    condition     = output.files.dashboards["escaped"].form == "classic" && output.files.dashboards["escaped"].title == "Escaped"
    error_message = "found ${jsonencode(output.files.dashboards)}"
  }
}

run "a_v1_resource_is_accepted" {
  command = plan

  module {
    source = "./files"
  }

  variables {
    path = "./tests/fixtures/v1"
  }

  assert {
    condition     = output.files.dashboards["one"].form == "v1" && output.files.dashboards["one"].title == "One"
    error_message = "found ${jsonencode(output.files.dashboards)}"
  }
}

run "a_v2_resource_is_refused_below_grafana_13" {
  command = plan

  module {
    source = "./files"
  }

  variables {
    path            = "./tests/fixtures/v2"
    grafana_version = "12.4.1"
    schema_v2       = true
  }

  expect_failures = [output.files]
}

run "a_v2_resource_is_refused_with_a_provider_that_cannot_read_it" {
  command = plan

  module {
    source = "./files"
  }

  variables {
    path            = "./tests/fixtures/v2"
    grafana_version = "13.2.3"
  }

  expect_failures = [output.files]
}

run "a_v2_resource_is_accepted_from_13_on" {
  command = plan

  module {
    source = "./files"
  }

  variables {
    path            = "./tests/fixtures/v2"
    grafana_version = "13.2.3"
    schema_v2       = true
  }

  assert {
    condition     = output.files.dashboards["two"].form == "v2" && output.files.dashboards["two"].title == "Two"
    error_message = "found ${jsonencode(output.files.dashboards)}"
  }
}

run "a_bare_v2_spec_is_refused" {
  command = plan

  module {
    source = "./files"
  }

  variables {
    path = "./tests/fixtures/spec"
  }

  expect_failures = [output.files]
}

run "an_answer_of_the_api_is_refused" {
  command = plan

  module {
    source = "./files"
  }

  variables {
    path = "./tests/fixtures/export"
  }

  expect_failures = [output.files]
}

run "a_resource_that_is_not_a_dashboard_is_refused" {
  command = plan

  module {
    source = "./files"
  }

  variables {
    path = "./tests/fixtures/playlist"
  }

  expect_failures = [output.files]
}
