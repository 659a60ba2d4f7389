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

run "a_v1_resource_is_sent_as_the_classic_dashboard_that_it_holds" {
  command = apply

  variables {
    path       = "./tests/fixtures/v1"
    thresholds = { one = { "3" = 64 } }
  }

  assert {
    condition     = jsondecode(local.replacements["go/one.json"]).uid == "one" && jsondecode(local.replacements["go/one.json"]).title == "One" && !can(jsondecode(local.replacements["go/one.json"]).spec)
    error_message = "sent is ${local.replacements["go/one.json"]}"
  }

  assert {
    condition     = jsondecode(local.replacements["go/one.json"]).panels[0].fieldConfig.defaults == { unit = "short", thresholds = { mode = "absolute", steps = [{ color = "green", value = null }, { color = "red", value = 64 }] } }
    error_message = "the red line is not at 64: ${local.replacements["go/one.json"]}"
  }
}

run "a_v2_resource_is_sent_whole_with_its_red_lines" {
  command = apply

  variables {
    path            = "./tests/fixtures/v2"
    grafana_version = "13.2.3"
    schema_v2       = true
    thresholds      = { two = { "3" = 64 } }
  }

  assert {
    condition     = jsondecode(local.replacements["go/two.json"]).metadata.name == "two" && jsondecode(local.replacements["go/two.json"]).spec.layout.kind == "GridLayout"
    error_message = "sent is ${local.replacements["go/two.json"]}"
  }

  assert {
    condition     = jsondecode(local.replacements["go/two.json"]).spec.elements.panel-3.spec.vizConfig.spec.fieldConfig.defaults.thresholds.steps[1].value == 64
    error_message = "the red line is not at 64: ${local.replacements["go/two.json"]}"
  }
}

run "a_folder_with_what_others_made_is_kept_where_grafana_can_say_so" {
  command = apply

  variables {
    grafana_version = "10.2.0"
  }

  assert {
    condition     = module.folder["go"].keep_foreign
    error_message = "the folder would be deleted with what is in it"
  }
}

run "an_older_grafana_is_not_asked" {
  command = apply

  assert {
    condition     = !module.folder["go"].keep_foreign
    error_message = "before 10.2 the provider takes every dashboard for one in the folder"
  }
}
