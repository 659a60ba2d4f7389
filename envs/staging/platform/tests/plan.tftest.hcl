# The environment as it would be planned, without an engine.

mock_provider "docker" {}

variables {
  grafana_admin_password = "correct horse battery"
  images                 = { exporter = "lookout/exporter:test", relay = "lookout/relay:test" }
  root_url               = "https://grafana.example.com/"
}

run "names_ports_and_addresses_are_its_own" {
  command = plan

  assert {
    condition     = output.network == "lookout-staging" && output.prometheus.container_name == "lookout-staging-prometheus"
    error_message = "the network is ${output.network}"
  }

  assert {
    condition     = [output.exporter.url, output.grafana.url, output.prometheus.url] == ["http://127.0.0.1:9101", "http://127.0.0.1:3002", "http://127.0.0.1:9091"]
    error_message = "the ports are ${jsonencode([output.exporter.url, output.grafana.url, output.prometheus.url])}"
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
    condition     = yamldecode(module.prometheus.configuration["/lookout/config/prometheus.yml"]).global == { evaluation_interval = "10s", external_labels = { env = "staging" }, scrape_interval = "10s" }
    error_message = "the global section is ${jsonencode(yamldecode(module.prometheus.configuration["/lookout/config/prometheus.yml"]).global)}"
  }
}

run "faults_cannot_be_raised" {
  command = plan

  assert {
    condition     = !output.exporter.faults
    error_message = "the exporter has knobs with which anybody could break it"
  }
}

run "retention_is_its_own" {
  command = plan

  assert {
    condition     = yamldecode(module.prometheus.configuration["/lookout/config/prometheus.yml"]).storage.tsdb.retention == { size = "10GB", time = "15d" }
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

run "links_that_lead_nowhere_are_warned_of" {
  command = plan

  variables {
    root_url = null
  }

  expect_failures = [check.links_lead_to_grafana]
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

run "the_relay_knows_the_robots_and_its_secrets_are_files_of_the_host" {
  command = plan

  assert {
    condition     = output.relay.url == "http://127.0.0.1:8071" && keys(yamldecode(file("${path.root}/relay.yaml")).robots) == ["team"]
    error_message = "the relay is at ${output.relay.url}"
  }

  assert {
    condition     = alltrue([for robot in values(yamldecode(file("${path.root}/relay.yaml")).robots) : startswith(robot.token_file, "/secrets/") && !can(robot.url)])
    error_message = "a robot's token is no file, or it is not DingTalk's"
  }
}
