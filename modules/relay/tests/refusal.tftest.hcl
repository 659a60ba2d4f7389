# On its own, since a postcondition counts when the container is made. OpenTofu has a file of its own.

mock_provider "docker" {
  override_resource {
    target = docker_container.config_check
    values = { container_logs = "configuration: made up", exit_code = 1 }
  }
}

run "what_the_relay_refuses_ends_the_apply" {
  command = apply

  variables {
    config            = "robots: {ops: {token_file: /secrets/none}}"
    image             = "lookout/relay:test"
    name              = "lookout-test"
    network           = { id = "0123456789ab", name = "lookout-test" }
    secrets_directory = "/etc/lookout/secrets"
  }

  expect_failures = [docker_container.config_check]
}
