# On its own, since a postcondition counts when the container is made. OpenTofu has a file of its own.

mock_provider "docker" {
  override_resource {
    target = docker_container.check
    values = { container_logs = "FAILED: made up", exit_code = 1 }
  }
}

run "what_the_check_refuses_ends_the_apply" {
  command = apply

  variables {
    check            = { command = ["/bin/promtool", "check", "config", "/config/a.yml"], refusal = "promtool refuses the configuration of" }
    environment      = { name = "lookout-test" }
    files            = { "a.yml" = "a: 1" }
    image_id         = "sha256:0123456789ab"
    memory_mebibytes = 64
    path             = "/config"
    service          = "prometheus"
  }

  expect_failures = [docker_container.check]
}
