mock_provider "docker" {
  mock_resource "docker_container" {
    defaults = { exit_code = 0 }
  }
}

run "the_example_plans" {
  command = plan

  module {
    source = "./examples/basic"
  }
}

run "the_readme_shows_the_example" {
  command = plan

  variables {
    dashboards  = "../../dashboards"
    environment = { name = "lookout-test", network = { id = "0123456789ab", name = "lookout-test" } }
    image       = "lookout/console:test"
  }

  assert {
    condition     = strcontains(file("${path.module}/README.md"), file("${path.module}/examples/basic/main.tf"))
    error_message = "README.md shows another example than examples/basic/main.tf"
  }
}
