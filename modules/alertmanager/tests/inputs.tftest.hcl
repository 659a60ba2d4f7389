# What is refused, and by which variable.

mock_provider "docker" {
  mock_resource "docker_container" {
    defaults = { exit_code = 0 }
  }
}

variables {
  default_target = "ops"
  environment    = { name = "lookout-test", network = { id = "0123456789ab", name = "lookout-test" } }
  targets        = ["ops"]
}

run "a_route_to_an_unknown_target_is_refused" {
  command = plan

  variables {
    routes = [{ labels = { team = "a" }, target = "nowhere" }]
  }

  expect_failures = [var.routes]
}

run "a_route_without_a_condition_is_refused" {
  command = plan

  variables {
    routes = [{ target = "ops" }]
  }

  expect_failures = [var.routes]
}

run "a_route_with_an_unknown_interval_is_refused" {
  command = plan

  variables {
    routes = [{ labels = { team = "a" }, mute_intervals = ["night"], target = "ops" }]
  }

  expect_failures = [var.routes]
}

run "a_default_that_is_not_a_target_is_refused" {
  command = plan

  variables {
    default_target = "nowhere"
  }

  expect_failures = [var.targets]
}

run "a_zone_that_cannot_be_one_is_refused" {
  command = plan

  variables {
    mute_intervals = { night = [{ location = "Beijing time", times = [{ start = "22:00", end = "24:00" }] }] }
  }

  expect_failures = [var.mute_intervals]
}

run "a_time_that_is_not_one_is_refused" {
  command = plan

  variables {
    mute_intervals = { night = [{ times = [{ start = "22", end = "8" }] }] }
  }

  expect_failures = [var.mute_intervals]
}

run "an_interval_of_nothing_is_refused" {
  command = plan

  variables {
    timing = { group_interval = "0s" }
  }

  expect_failures = [var.timing]
}

run "a_duration_that_is_not_one_is_refused" {
  command = plan

  variables {
    timing = { group_wait = "ten seconds" }
  }

  expect_failures = [var.timing]
}

run "a_real_robots_address_does_not_enter_the_state" {
  command = plan

  variables {
    about_delivery = { robot_url = "https://oapi.dingtalk.com/robot/send?access_token=0123" }
  }

  expect_failures = [var.about_delivery]
}

run "mail_without_a_server_is_refused" {
  command = plan

  variables {
    about_delivery = { email = ["oncall@example.com"] }
  }

  expect_failures = [var.about_delivery]
}

run "a_reload_without_a_port_is_refused" {
  command = plan

  variables {
    publish = null
  }

  expect_failures = [var.reload]
}

run "a_host_out_of_reach_takes_a_restart" {
  command = plan

  variables {
    publish = null
    reload  = "restart"
  }

  assert {
    condition     = length(terraform_data.reload) == 0 && length(module.container.container.env) == 1
    error_message = "a changed configuration would not be read"
  }
}
