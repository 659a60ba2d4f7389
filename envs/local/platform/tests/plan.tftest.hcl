# The environment as it would be planned, without an engine.

mock_provider "docker" {}

variables {
  grafana_admin_password = "correct horse battery"
  images                 = { exporter = "lookout/exporter:test", relay = "lookout/relay:test", robot = "lookout/robot:test" }
}

run "names_ports_and_addresses_are_its_own" {
  command = plan

  assert {
    condition     = output.network == "lookout-local" && output.prometheus.container_name == "lookout-local-prometheus"
    error_message = "the network is ${output.network}"
  }

  assert {
    condition     = [output.exporter.url, output.grafana.url, output.prometheus.url] == ["http://127.0.0.1:9100", "http://127.0.0.1:3001", "http://127.0.0.1:9090"]
    error_message = "the ports are ${jsonencode([output.exporter.url, output.grafana.url, output.prometheus.url])}"
  }

  assert {
    condition     = [output.relay.url, output.robot.url] == ["http://127.0.0.1:8070", "http://127.0.0.1:8060"]
    error_message = "relay and robot are at ${jsonencode([output.relay.url, output.robot.url])}"
  }
}

run "the_exporter_is_scraped_as_job_go" {
  command = plan

  assert {
    condition     = yamldecode(module.prometheus.configuration["/lookout/config/prometheus.yml"]).scrape_configs[*].job_name == ["go", "relay", "prometheus"]
    error_message = "the jobs are ${jsonencode(yamldecode(module.prometheus.configuration["/lookout/config/prometheus.yml"]).scrape_configs[*].job_name)}"
  }

  assert {
    condition     = yamldecode(module.prometheus.configuration["/lookout/config/prometheus.yml"]).scrape_configs[0].static_configs == [{ labels = { instance = "go1" }, targets = ["exporter:9100"] }]
    error_message = "the target differs"
  }

  assert {
    condition     = yamldecode(module.prometheus.configuration["/lookout/config/prometheus.yml"]).global == { evaluation_interval = "2s", external_labels = { env = "local" }, scrape_interval = "2s" }
    error_message = "the global section is ${jsonencode(yamldecode(module.prometheus.configuration["/lookout/config/prometheus.yml"]).global)}"
  }
}

run "faults_can_be_raised" {
  command = plan

  assert {
    condition     = output.exporter.faults
    error_message = "the exporter has no knobs, so no alert could be shown"
  }
}

run "retention_is_its_own" {
  command = plan

  assert {
    condition     = yamldecode(module.prometheus.configuration["/lookout/config/prometheus.yml"]).storage.tsdb.retention == { time = "2d" }
    error_message = "it keeps ${jsonencode(yamldecode(module.prometheus.configuration["/lookout/config/prometheus.yml"]).storage.tsdb.retention)}"
  }
}

run "further_jobs_stand_beside_its_own" {
  command = plan

  variables {
    scrape_jobs = { mysql = { targets = [{ address = "mysql:9104" }] }, redis = { interval = "30s", targets = [{ address = "redis:9121", labels = { instance = "cache" } }] } }
  }

  assert {
    condition     = yamldecode(module.prometheus.configuration["/lookout/config/prometheus.yml"]).scrape_configs[*].job_name == ["go", "mysql", "redis", "relay", "prometheus"]
    error_message = "the jobs are ${jsonencode(yamldecode(module.prometheus.configuration["/lookout/config/prometheus.yml"]).scrape_configs[*].job_name)}"
  }
}

run "a_missing_image_is_named" {
  command = plan

  variables {
    images = {}
  }

  expect_failures = [var.images]
}

run "one_port_for_two_services_is_refused" {
  command = plan

  variables {
    ports = { grafana = 9090, prometheus = 9090 }
  }

  expect_failures = [var.ports]
}

run "a_name_with_capitals_is_refused_once" {
  command = plan

  variables {
    name = "Lookout"
  }

  # Anything beside this failure, such as the same complaint of a module, would be an error.
  expect_failures = [var.name]
}

run "a_host_name_as_address_is_refused_once" {
  command = plan

  variables {
    bind_address = "localhost"
  }

  # Anything beside this failure, such as the same complaint of a module, would be an error.
  expect_failures = [var.bind_address]
}

run "a_zone_that_is_an_offset_is_refused_once" {
  command = plan

  variables {
    time_zone = "+08:00"
  }

  # Anything beside this failure, such as the same complaint of a module, would be an error.
  expect_failures = [var.time_zone]
}

run "the_relay_delivers_to_the_stand_in_robot_with_secrets_that_terraform_never_sees" {
  command = plan

  assert {
    condition     = alltrue([for robot in values(yamldecode(file("${path.root}/relay.yaml")).robots) : robot.url == "http://robot:8060/robot/send" && startswith(robot.token_file, "/secrets/")])
    error_message = "a robot of the local environment is somebody's real one"
  }

  assert {
    condition     = endswith(local.relay_secrets, "/envs/local/platform/secrets") && startswith(local.relay_secrets, "/")
    error_message = "the secrets are looked for in ${local.relay_secrets}"
  }
}
