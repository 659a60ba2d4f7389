# What goes in and what it becomes: literals, so a plan is enough.

mock_provider "docker" {}

variables {
  admin_password = "correct horse battery"
  environment    = { name = "lookout-test", network = { id = "0123456789ab", name = "lookout-test" } }
}

run "the_password_is_nowhere_in_the_environment" {
  command = plan

  assert {
    condition     = length([for setting in module.container.container.env : setting if strcontains(setting, "correct horse battery")]) == 0
    error_message = "docker inspect would show the password"
  }

  assert {
    condition     = contains(module.container.container.env, "GF_SECURITY_ADMIN_PASSWORD=$__file{/lookout/secrets/admin_password}")
    error_message = "Grafana does not get the file of the password"
  }
}

run "it_calls_nobody" {
  command = plan

  assert {
    condition = length(setsubtract([
      "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES=false", "GF_ANALYTICS_CHECK_FOR_UPDATES=false", "GF_ANALYTICS_REPORTING_ENABLED=false",
      "GF_NEWS_NEWS_FEED_ENABLED=false", "GF_PLUGINS_PREINSTALL_AUTO_UPDATE=false", "GF_PLUGINS_PREINSTALL_DISABLED=true",
      "GF_PLUGINS_PUBLIC_KEY_RETRIEVAL_DISABLED=true", "GF_SECURITY_DISABLE_GRAVATAR=true", "GF_SNAPSHOTS_EXTERNAL_ENABLED=false",
    ], module.container.container.env)) == 0
    error_message = "one of the switches for calls to the outside is missing"
  }
}

run "address_and_zone_reach_links_and_times" {
  command = plan

  variables {
    root_url  = "https://grafana.example.com/"
    time_zone = "Europe/Berlin"
  }

  assert {
    condition     = length(setsubtract(["TZ=Europe/Berlin", "GF_DATE_FORMATS_DEFAULT_TIMEZONE=Europe/Berlin", "GF_SERVER_ROOT_URL=https://grafana.example.com/", "GF_SECURITY_COOKIE_SECURE=true"], module.container.container.env)) == 0
    error_message = "the environment is ${jsonencode(module.container.container.env)}"
  }
}

run "without_an_address_links_lead_to_the_published_port" {
  command = plan

  variables {
    publish = { port = 13001 }
  }

  assert {
    condition     = length(setsubtract(["TZ=Asia/Shanghai", "GF_SERVER_ROOT_URL=http://127.0.0.1:13001/", "GF_SECURITY_COOKIE_SECURE=false"], module.container.container.env)) == 0
    error_message = "the environment is ${jsonencode(module.container.container.env)}"
  }
}

run "settings_are_added_and_win" {
  command = plan

  variables {
    settings = { "auth.anonymous" = { enabled = "true" }, users = { allow_sign_up = "true" } }
  }

  assert {
    condition     = contains(module.container.container.env, "GF_AUTH_ANONYMOUS_ENABLED=true") && contains(module.container.container.env, "GF_USERS_ALLOW_SIGN_UP=true") && !contains(module.container.container.env, "GF_USERS_ALLOW_SIGN_UP=false")
    error_message = "the environment is ${jsonencode(module.container.container.env)}"
  }
}

run "a_published_image_is_asked_by_wget" {
  command = plan

  variables {
    image = "mirror.example.com/grafana/grafana:13.2.3"
  }

  assert {
    condition     = one(module.container.container.healthcheck).test == tolist(["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:3000/api/health"])
    error_message = "the health check is ${jsonencode(module.container.container.healthcheck)}"
  }
}

run "another_image_may_be_asked_otherwise" {
  command = plan

  variables {
    health_command = ["/probe"]
    image          = "mine:1"
  }

  assert {
    condition     = one(module.container.container.healthcheck).test == tolist(["CMD", "/probe"])
    error_message = "the health check is ${jsonencode(module.container.container.healthcheck)}"
  }
}

run "an_empty_password_is_refused" {
  command = plan

  variables {
    admin_password = ""
  }

  expect_failures = [var.admin_password]
}

run "the_password_admin_is_refused" {
  command = plan

  variables {
    admin_password = "Admin"
  }

  expect_failures = [var.admin_password]
}

run "a_short_password_is_refused" {
  command = plan

  variables {
    admin_password = "secret"
  }

  expect_failures = [var.admin_password]
}

run "an_address_without_a_scheme_is_refused" {
  command = plan

  variables {
    root_url = "grafana.example.com"
  }

  expect_failures = [var.root_url]
}

run "a_zone_that_is_an_offset_is_refused" {
  command = plan

  variables {
    time_zone = "+08:00"
  }

  expect_failures = [var.time_zone]
}

run "a_secret_among_the_settings_is_refused" {
  command = plan

  variables {
    settings = { smtp = { password = "hunter2" } }
  }

  expect_failures = [var.settings]
}

run "a_setting_with_odd_characters_is_refused" {
  command = plan

  variables {
    settings = { "smtp=x" = { host = "mail" } }
  }

  expect_failures = [var.settings]
}

run "an_empty_health_command_is_refused" {
  command = plan

  variables {
    health_command = []
  }

  expect_failures = [var.health_command]
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

run "too_little_memory_is_refused" {
  command = plan

  variables {
    memory_mebibytes = 64
  }

  expect_failures = [var.memory_mebibytes]
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

run "no_time_to_start_is_refused" {
  command = plan

  variables {
    wait_seconds = 1
  }

  expect_failures = [var.wait_seconds]
}

run "a_relative_directory_of_dashboards_is_refused" {
  command = plan

  variables {
    dashboards_directory = "dashboards"
  }

  expect_failures = [var.dashboards_directory]
}
