# The environment as it would be planned, without an engine.

mock_provider "docker" {}

variables {
  console_url  = "https://monitoring.example.com"
  notification = { about_delivery = { webhook = "https://sms.example.com/alert" } }
  images       = { console = "lookout/console:test", relay = "lookout/relay:test" }
}

run "name_engine_and_addresses_are_its_own" {
  command = plan

  assert {
    condition     = output.stack.name == "lookout-staging" && output.stack.alerting == "prometheus" && output.services.prometheus.container_name == "lookout-staging-prometheus"
    error_message = "the stack is ${jsonencode(output.stack.name)} with the engine ${output.stack.alerting}"
  }

  assert {
    condition     = { for name, service in output.services : name => service.url } == { alertmanager = "http://127.0.0.1:9094", console = "http://127.0.0.1:8091", prometheus = "http://127.0.0.1:9091", relay = "http://127.0.0.1:8071" }
    error_message = "the addresses are ${jsonencode({ for name, service in output.services : name => service.url })}"
  }
}

run "the_relay_knows_the_robots_and_its_secrets_are_files_of_the_host" {
  command = plan

  assert {
    condition     = length(keys(yamldecode(file("${path.root}/relay.yaml")).robots)) > 0
    error_message = "there is no robot to send to"
  }

  assert {
    condition     = alltrue([for robot in values(yamldecode(file("${path.root}/relay.yaml")).robots) : startswith(robot.token_file, "/secrets/") && !can(robot.url)])
    error_message = "a robot's token is not a file, or it is not DingTalk's"
  }
}

run "links_that_lead_nowhere_are_warned_of" {
  command = plan

  variables {
    console_url = null
  }

  expect_failures = [check.links_lead_to_the_console]
}

run "no_path_past_the_relay_is_refused" {
  command = plan

  variables {
    notification = {}
  }

  expect_failures = [terraform_data.about_delivery]
}
