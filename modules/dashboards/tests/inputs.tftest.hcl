mock_provider "grafana" {}

variables {
  path       = "./tests/fixtures/sound"
  datasource = { name = "Prometheus", type = "prometheus", uid = "prometheus" }
}

run "a_directory_becomes_a_folder_and_a_file_a_dashboard" {
  command = plan

  assert {
    condition     = module.folder["go"].folder == { title = "Go", uid = "lookout-go" }
    error_message = "folder go is ${jsonencode(module.folder["go"].folder)}"
  }

  assert {
    condition     = module.folder["on-call"].folder.title == "On Call"
    error_message = "a directory's dashes become spaces"
  }

  assert {
    condition     = keys(output.dashboards) == ["night", "threads"] && output.dashboards["threads"].title == "Threads"
    error_message = "dashboards are ${jsonencode(output.dashboards)}"
  }
}

run "the_shipped_dashboards_are_accepted" {
  command = plan

  variables {
    path = "../../dashboards"
  }

  assert {
    condition     = length(setsubtract(["go-runtime", "service", "prometheus"], keys(output.dashboards))) == 0
    error_message = "found ${jsonencode(keys(output.dashboards))}"
  }
}

run "a_folder_gets_the_title_that_the_environment_gives_it" {
  command = plan

  variables {
    folder_titles = { on-call = "值班" }
  }

  assert {
    condition     = module.folder["on-call"].folder.title == "值班"
    error_message = "folder_titles is not used"
  }
}

run "a_dashboard_in_one_line_is_read_too" {
  command = plan

  variables {
    path = "./tests/fixtures/form"
  }

  assert {
    condition     = output.dashboards["dense"].title == "Dense"
    error_message = "title not found without canonical form"
  }
}

run "the_same_dashboard_is_accepted_once_the_folder_has_another_title" {
  command = plan

  variables {
    path          = "./tests/fixtures/folder-title"
    folder_titles = { go = "Go services" }
  }

  assert {
    condition     = output.dashboards["threads"].title == "go"
    error_message = "dashboards are ${jsonencode(output.dashboards)}"
  }
}

run "a_directory_without_dashboards_is_refused" {
  command = plan

  variables {
    path = "./tests/fixtures/nowhere"
  }

  expect_failures = [var.path]
}

run "a_datasource_that_is_no_prometheus_is_refused" {
  command = plan

  variables {
    datasource = { name = "Loki", type = "loki", uid = "loki" }
  }

  expect_failures = [var.datasource]
}
