mock_provider "grafana" {}

variables {
  path       = "./tests/fixtures/sound"
  datasource = { name = "Prometheus", type = "prometheus", uid = "prometheus" }
}

run "lookouts_own_datasource_leaves_the_file_as_it_is" {
  command = apply

  assert {
    condition     = local.replacements == {}
    error_message = "nothing has to be exchanged, but ${jsonencode(keys(local.replacements))} were"
  }

  assert {
    condition     = keys(output.urls) == ["night", "threads"]
    error_message = "every dashboard has an address"
  }
}

run "another_datasource_is_chosen_in_every_dashboard" {
  command = apply

  variables {
    datasource = { name = "Prometheus \"EU\"", type = "prometheus", uid = "eu" }
  }

  assert {
    condition = alltrue([
      for file, text in local.replacements :
      jsondecode(text).templating.list[0].current == { selected = false, text = "Prometheus \"EU\"", value = "eu" }
    ]) && length(local.replacements) == 2
    error_message = "the datasource variable still points elsewhere"
  }
}

run "a_red_line_follows_the_environments_threshold_and_leaves_the_rest" {
  command = apply

  variables {
    thresholds = { threads = { "3" = 64 } }
  }

  assert {
    condition     = jsondecode(local.replacements["go/threads.json"]).panels[0].fieldConfig.defaults.thresholds.steps[1].value == 64
    error_message = "the red line does not stand at 64"
  }

  assert {
    condition     = jsondecode(local.replacements["go/threads.json"]).panels[0].fieldConfig.defaults.unit == "short"
    error_message = "the panel's unit was lost"
  }

  assert {
    condition     = jsondecode(local.replacements["go/threads.json"]).panels[1] == jsondecode(file("tests/fixtures/sound/go/threads.json")).panels[1]
    error_message = "another panel was touched"
  }

  assert {
    condition     = keys(local.replacements) == ["go/threads.json"]
    error_message = "another dashboard was touched"
  }
}

run "datasource_and_red_line_come_together" {
  command = apply

  variables {
    datasource = { name = "EU", type = "prometheus", uid = "eu" }
    thresholds = { threads = { "3" = 64 } }
  }

  assert {
    condition     = jsondecode(local.replacements["go/threads.json"]).templating.list[0].current.value == "eu"
    error_message = "the threshold's text has lost the datasource"
  }
}
