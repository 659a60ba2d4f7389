# As refusal.tftest.hcl, which OpenTofu leaves out for this file: its mocks already answer at plan.

mock_provider "docker" {
  override_resource {
    target = docker_container.config_check
    values = { container_logs = "FAILED: made up", exit_code = 1 }
  }
}

run "what_promtool_refuses_ends_the_apply" {
  command = plan

  variables {
    name    = "lookout-test"
    network = { id = "0123456789ab", name = "lookout-test" }
    reload  = "watch"
  }

  expect_failures = [docker_container.config_check]
}
