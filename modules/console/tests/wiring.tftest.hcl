mock_provider "docker" {
  mock_resource "docker_container" {
    defaults = { exit_code = 0 }
  }
}

variables {
  dashboards  = "../../dashboards"
  environment = { name = "lookout-test", network = { id = "0123456789ab", name = "lookout-test" } }
  image       = "lookout/console:test"
  runbooks    = "../../docs/runbooks"
}

run "it_is_hardened_and_shows_what_is_carried_to_it" {
  command = plan

  assert {
    condition     = module.container.container.read_only && module.container.container.user == "65534:65534" && one(module.container.container.capabilities).drop == toset(["ALL"])
    error_message = "the container is not hardened as the others are"
  }

  assert {
    condition     = contains([for upload in module.content[0].writer.upload : replace(upload.file, "/[0-9a-f]{12}/", "*")], "/lookout/content/*/dashboards/go/service.json")
    error_message = "the dashboard \"Service\" is not carried to it"
  }

  assert {
    condition     = contains(module.container.container.command, "--published-on-loopback") && contains(module.container.container.command, "--external-url=http://127.0.0.1:8090")
    error_message = "the command is ${jsonencode(module.container.container.command)}"
  }
}

run "directories_can_be_mounted" {
  command = plan

  variables {
    mount = true
  }

  assert {
    condition     = length(module.content) == 0 && toset(module.container.container.mounts[*].target) == toset(["/lookout/content/dashboards", "/lookout/content/runbooks"])
    error_message = "the mounts are ${jsonencode(module.container.container.mounts)}"
  }
}

run "beyond_loopback_it_wants_users" {
  command = plan

  variables {
    publish = { ip = "0.0.0.0" }
  }

  expect_failures = [var.web_config_file]
}

run "with_users_it_is_published_with_tls" {
  command = plan

  variables {
    publish           = { ip = "0.0.0.0" }
    secrets_directory = "/etc/lookout/console"
    web_config_file   = "web.yml"
  }

  assert {
    condition     = contains(module.container.container.command, "--web.config.file=/lookout/secrets/web.yml") && !contains(module.container.container.command, "--published-on-loopback") && output.console.url == "https://127.0.0.1:8090"
    error_message = "the command is ${jsonencode(module.container.container.command)}"
  }

  assert {
    condition     = contains(one(module.container.container.healthcheck).test, "--alive")
    error_message = "its health check would fail at the login"
  }
}

run "a_folder_without_dashboards_is_refused" {
  command = plan

  variables {
    dashboards = "./tests"
  }

  expect_failures = [var.dashboards]
}

run "links_in_messages_are_passed_on_to_the_relay" {
  command = apply

  variables {
    relay_url = "http://relay:8070"
  }

  assert {
    condition     = contains(module.container.container.command, "--relay=http://relay:8070")
    error_message = "the command is ${jsonencode(module.container.container.command)}"
  }
}

run "an_address_of_the_relay_with_a_path_is_refused" {
  command = plan

  variables {
    relay_url = "http://relay:8070/v1"
  }

  expect_failures = [var.relay_url]
}
