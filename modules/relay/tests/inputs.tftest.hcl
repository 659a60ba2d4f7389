# What goes in and what it becomes: literals, so a plan is enough.

mock_provider "docker" {
  mock_resource "docker_container" {
    defaults = { exit_code = 0 }
  }
}

variables {
  config            = "robots: {ops: {token_file: /secrets/ops}}"
  image             = "lookout/relay:test"
  environment       = { name = "lookout-test", network = { id = "0123456789ab", name = "lookout-test" } }
  secrets_directory = "/etc/lookout/secrets"
}

run "the_command_says_where_everything_is" {
  command = plan

  variables {
    reserve_mebibytes = 8
  }

  assert {
    condition     = module.container.container.command == tolist(["--config=/etc/relay/relay.yaml", "--health-listen=:8071", "--listen=:8070", "--reserve-mib=8", "--spool=/var/lib/relay/spool.db"])
    error_message = "the command is ${jsonencode(module.container.container.command)}"
  }
}

run "answers_are_told_to_the_relay_and_to_its_check" {
  command = plan

  variables {
    answers = { silences = "http://alertmanager:9093", url = "http://127.0.0.1:8090" }
  }

  assert {
    condition     = slice(module.container.container.command, 0, 2) == tolist(["--answers-silences=http://alertmanager:9093", "--answers-url=http://127.0.0.1:8090"])
    error_message = "the command is ${jsonencode(module.container.container.command)}"
  }

  assert {
    condition     = module.config.check.command == tolist(["check", "--answers-silences=http://alertmanager:9093", "--answers-url=http://127.0.0.1:8090", "/etc/relay/relay.yaml"])
    error_message = "the check is ${jsonencode(module.config.check.command)}"
  }
}

run "an_address_for_answers_that_is_none_is_refused" {
  command = plan

  variables {
    answers = { url = "monitoring.example.com" }
  }

  expect_failures = [var.answers]
}

run "templates_are_carried_beside_the_configuration" {
  command = plan

  variables {
    templates = { "ours.tmpl" = "{{define \"title\"}}报警{{end}}" }
  }

  assert {
    condition     = toset(module.config.writer.upload[*].file) == toset(["/etc/relay/relay.yaml", "/etc/relay/templates/ours.tmpl"]) && toset(module.config.check.upload[*].file) == toset(module.config.writer.upload[*].file)
    error_message = "the files are ${jsonencode(module.config.writer.upload[*].file)}"
  }
}

run "a_group_that_may_read_the_secrets_is_given" {
  command = plan

  variables {
    secrets_group_id = 998
  }

  assert {
    condition     = module.container.container.group_add == toset(["998"]) && module.config.check.group_add == toset(["998"])
    error_message = "the groups are ${jsonencode(module.container.container.group_add)}"
  }
}

run "a_configuration_that_is_no_mapping_is_refused" {
  command = plan

  variables {
    config = "just words"
  }

  expect_failures = [var.config]
}

run "a_configuration_that_is_no_yaml_is_refused" {
  command = plan

  variables {
    config = "a: ["
  }

  expect_failures = [var.config]
}

run "a_token_in_the_configuration_is_refused" {
  command = plan

  variables {
    config = "robots: {ops: {url: 'https://oapi.dingtalk.com/robot/send?access_token=abc'}}"
  }

  expect_failures = [var.config]
}

run "a_signing_secret_in_the_configuration_is_refused" {
  command = plan

  variables {
    config = "robots: {ops: {secret: SEC0123456789abcdef0123456789abcdef}}"
  }

  expect_failures = [var.config]
}

run "an_image_without_a_name_is_refused" {
  command = plan

  variables {
    image = ""
  }

  expect_failures = [var.image]
}

run "too_little_memory_is_refused" {
  command = plan

  variables {
    memory_mebibytes = 16
  }

  expect_failures = [var.memory_mebibytes]
}

run "a_name_with_capitals_is_refused" {
  command = plan

  variables {
    environment = { name = "Lookout", network = { id = "0123456789ab", name = "lookout-test" } }
  }

  expect_failures = [var.environment]
}

run "a_port_that_is_none_is_refused" {
  command = plan

  variables {
    publish = { port = 0 }
  }

  expect_failures = [var.publish]
}

run "a_host_name_as_address_is_refused" {
  command = plan

  variables {
    publish = { ip = "localhost" }
  }

  expect_failures = [var.publish]
}

run "a_reserve_of_nothing_is_refused" {
  command = plan

  variables {
    reserve_mebibytes = 0
  }

  expect_failures = [var.reserve_mebibytes]
}

run "a_relative_directory_of_secrets_is_refused" {
  command = plan

  variables {
    secrets_directory = "secrets"
  }

  expect_failures = [var.secrets_directory]
}

run "roots_group_is_refused" {
  command = plan

  variables {
    secrets_group_id = 0
  }

  expect_failures = [var.secrets_group_id]
}

run "a_template_with_a_path_is_refused" {
  command = plan

  variables {
    templates = { "../x.tmpl" = "" }
  }

  expect_failures = [var.templates]
}

run "the_second_of_a_pair_has_a_name_and_a_spool_of_its_own" {
  command = plan

  variables {
    config  = "{pair: {dsn_file: /secrets/pair.dsn}, robots: {ops: {token_file: /secrets/ops}}}"
    replica = 2
  }

  assert {
    condition     = module.container.container.name == "lookout-test-relay-2" && docker_volume.spool.name == "lookout-test-relay-2-spool" && module.config.writer.name != "lookout-test-relay-config-writer"
    error_message = "it is ${module.container.container.name} with ${docker_volume.spool.name}"
  }

  assert {
    condition     = output.target == { address = "relay-2:8071", labels = { instance = "relay2" } }
    error_message = "it is scraped as ${jsonencode(output.target)}"
  }
}

run "the_first_of_a_pair_is_called_as_it_is_alone" {
  command = plan

  assert {
    condition     = module.container.container.name == "lookout-test-relay" && docker_volume.spool.name == "lookout-test-relay-spool" && output.target == { address = "relay:8071", labels = { instance = "relay1" } }
    error_message = "it is ${module.container.container.name} with ${docker_volume.spool.name}, scraped as ${jsonencode(output.target)}"
  }
}

run "a_second_relay_without_a_pair_is_refused" {
  command = plan

  variables {
    replica = 2
  }

  expect_failures = [var.replica]
}

run "a_third_relay_is_refused" {
  command = plan

  variables {
    config  = "{pair: {dsn_file: /secrets/pair.dsn}, robots: {ops: {token_file: /secrets/ops}}}"
    replica = 3
  }

  expect_failures = [var.replica]
}
