# The environment as it would be planned, without an engine.

mock_provider "docker" {}

variables {
  images = { console = "lookout/console:test", exporter = "lookout/exporter:test", relay = "lookout/relay:test", robot = "lookout/robot:test" }
}

run "name_engine_and_addresses_are_its_own" {
  command = plan

  assert {
    condition     = output.stack.name == "lookout-local" && output.stack.alerting == "prometheus" && output.services.prometheus.container_name == "lookout-local-prometheus"
    error_message = "the stack is ${jsonencode(output.stack.name)} with the engine ${output.stack.alerting}"
  }

  assert {
    condition     = { for name, service in output.services : name => service.url } == { alertmanager = "http://127.0.0.1:9093", console = "http://127.0.0.1:8090", exporter = "http://127.0.0.1:9100", prometheus = "http://127.0.0.1:9090", relay = "http://127.0.0.1:8070", robot = "http://127.0.0.1:8060" }
    error_message = "the addresses are ${jsonencode({ for name, service in output.services : name => service.url })}"
  }
}

run "the_relay_delivers_to_the_mock_robot_with_secrets_that_terraform_never_sees" {
  command = plan

  assert {
    condition     = alltrue([for robot in values(yamldecode(file("${path.root}/relay.yaml")).robots) : robot.url == "http://robot:8060/robot/send" && startswith(robot.token_file, "/secrets/")])
    error_message = "a robot of the local environment is someone's real one"
  }

  assert {
    condition     = endswith(local.relay_secrets, "/envs/local/platform/secrets") && startswith(local.relay_secrets, "/")
    error_message = "the secrets are looked for in ${local.relay_secrets}"
  }
}
