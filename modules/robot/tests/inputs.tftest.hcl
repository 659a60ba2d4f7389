# What goes in and what it becomes: literals, so a plan is enough.

mock_provider "docker" {}

variables {
  image       = "lookout/robot:test"
  environment = { name = "lookout-test", network = { id = "0123456789ab", name = "lookout-test" } }
}

run "token_keywords_and_zone_reach_the_program" {
  command = plan

  variables {
    access_token = "abc"
    keywords     = ["报警", "alert"]
    time_zone    = "Europe/Berlin"
  }

  assert {
    condition     = module.container.container.command == tolist(["--access-token=abc", "--listen=:8060", "--time-zone=Europe/Berlin", "--keyword=报警", "--keyword=alert"])
    error_message = "the command is ${jsonencode(module.container.container.command)}"
  }
}

run "no_keyword_is_said_explicitly" {
  command = plan

  variables {
    keywords = []
  }

  assert {
    condition     = contains(module.container.container.command, "--keyword=")
    error_message = "the program would fall back to its own keyword"
  }
}

run "an_empty_keyword_is_refused" {
  command = plan

  variables {
    keywords = ["报警", ""]
  }

  expect_failures = [var.keywords]
}

run "a_token_that_would_break_the_address_is_refused" {
  command = plan

  variables {
    access_token = "a&b"
  }

  expect_failures = [var.access_token]
}

run "a_zone_that_is_an_offset_is_refused" {
  command = plan

  variables {
    time_zone = "+08:00"
  }

  expect_failures = [var.time_zone]
}

run "too_little_memory_is_refused" {
  command = plan

  variables {
    memory_mebibytes = 1
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

run "several_robots_come_from_a_file_and_no_token_is_in_the_state" {
  command = plan

  variables {
    access_token     = "abc"
    robots_directory = "/srv/robots"
  }

  assert {
    condition     = module.container.container.command == tolist(["--robots-file=/robots/robots.yaml", "--listen=:8060", "--time-zone=Asia/Shanghai"])
    error_message = "the command is ${jsonencode(module.container.container.command)}"
  }

  assert {
    condition     = one(module.container.container.mounts).source == "/srv/robots" && one(module.container.container.mounts).target == "/robots" && one(module.container.container.mounts).read_only
    error_message = "the file is not where it is looked for, or can be written"
  }
}

run "a_relative_directory_of_robots_is_refused" {
  command = plan

  variables {
    robots_directory = "robots"
  }

  expect_failures = [var.robots_directory]
}
