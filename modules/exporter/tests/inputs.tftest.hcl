# What goes in and what it becomes: literals, so a plan is enough.

mock_provider "docker" {}

variables {
  image       = "lookout/exporter:test"
  environment = { name = "lookout-test", network = { id = "0123456789ab", name = "lookout-test" } }
}

run "faults_and_traffic_are_off_unless_asked_for" {
  command = plan

  assert {
    condition     = module.container.container.command == tolist(["--listen=:9100"])
    error_message = "the command is ${jsonencode(module.container.container.command)}"
  }
}

run "faults_traffic_and_instance_are_what_was_asked_for" {
  command = plan

  variables {
    enable_faults = true
    instance      = "go2"
    self_traffic  = 2.5
  }

  assert {
    condition     = module.container.container.command == tolist(["--listen=:9100", "--enable-faults", "--self-traffic=2.5"])
    error_message = "the command is ${jsonencode(module.container.container.command)}"
  }

  assert {
    condition     = output.target.labels.instance == "go2"
    error_message = "the target is labelled ${output.target.labels.instance}"
  }
}

run "negative_traffic_is_refused" {
  command = plan

  variables {
    self_traffic = -1
  }

  expect_failures = [var.self_traffic]
}

run "an_instance_without_a_name_is_refused" {
  command = plan

  variables {
    instance = " "
  }

  expect_failures = [var.instance]
}

run "too_little_memory_is_refused" {
  command = plan

  variables {
    memory_mebibytes = 1.5
  }

  expect_failures = [var.memory_mebibytes]
}

run "an_image_without_a_name_is_refused" {
  command = plan

  variables {
    image = ""
  }

  expect_failures = [var.image]
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

run "a_share_of_a_processor_is_refused" {
  command = plan

  variables {
    max_procs = 0.5
  }

  expect_failures = [var.max_procs]
}

run "processors_reach_the_runtime" {
  command = plan

  variables {
    max_procs = 4
  }

  assert {
    condition     = module.container.container.env == toset(["GOMAXPROCS=4"])
    error_message = "the environment is ${jsonencode(module.container.container.env)}"
  }
}
