# The stack as it would be planned, without an engine.

mock_provider "docker" {}

variables {
  environment  = { label = "test", name = "lookout-test" }
  exporter     = { enable_faults = true }
  images       = { console = "lookout/console:test", exporter = "lookout/exporter:test", relay = "lookout/relay:test", robot = "lookout/robot:test" }
  notification = { default_target = "ops" }
  paths        = { alerts = "../../alerts", dashboards = "../../dashboards", runbooks = "../../docs/runbooks" }
  relay        = { config = "robots: {ops: {token_file: /secrets/ops}, oncall: {token_file: /secrets/oncall}}", secrets_directory = "/etc/lookout/relay" }
}

run "without_a_grafana_prometheus_evaluates" {
  command = plan

  assert {
    condition     = output.stack.alerting == "prometheus" && keys(output.services) == ["alertmanager", "console", "exporter", "prometheus", "relay"]
    error_message = "the engine is ${output.stack.alerting}, the services are ${jsonencode(keys(output.services))}"
  }

  assert {
    condition     = yamldecode(module.prometheus.configuration["/lookout/config/prometheus.yml"]).alerting.alertmanagers[0].static_configs[0].targets == ["alertmanager:9093"] && length(yamldecode(module.prometheus.configuration["/lookout/config/prometheus.yml"]).rule_files) == length(keys(module.alerts.alerts.rule_files)) + 2
    error_message = "Prometheus has ${jsonencode(yamldecode(module.prometheus.configuration["/lookout/config/prometheus.yml"]).rule_files)}"
  }

  assert {
    condition     = yamldecode(module.prometheus.configuration["/lookout/config/prometheus.yml"]).scrape_configs[*].job_name == ["alertmanager", "console", "drill", "go", "relay", "prometheus"]
    error_message = "the jobs are ${jsonencode(yamldecode(module.prometheus.configuration["/lookout/config/prometheus.yml"]).scrape_configs[*].job_name)}"
  }

  assert {
    condition     = [for receiver in yamldecode(module.alertmanager[0].configuration["/lookout/config/alertmanager.yml"]).receivers : receiver.name] == ["target-oncall", "target-ops", "heartbeat"]
    error_message = "without targets of its own, a relay has one for each robot; the receivers are ${jsonencode([for receiver in yamldecode(module.alertmanager[0].configuration["/lookout/config/alertmanager.yml"]).receivers : receiver.name])}"
  }

  assert {
    condition     = module.console.external_url == "http://127.0.0.1:8090"
    error_message = "links in messages do not lead to the console"
  }
}

run "with_a_grafana_it_evaluates" {
  command = plan

  variables {
    grafana_admin_password = "correct horse battery"
    images                 = { console = "lookout/console:test", exporter = "lookout/exporter:test", grafana = "grafana/grafana:13.2.3", relay = "lookout/relay:test" }
  }

  assert {
    condition     = output.stack.alerting == "grafana" && keys(output.services) == ["console", "exporter", "grafana", "prometheus", "relay"]
    error_message = "the engine is ${output.stack.alerting}, the services are ${jsonencode(keys(output.services))}"
  }

  assert {
    condition     = !can(yamldecode(module.prometheus.configuration["/lookout/config/prometheus.yml"]).alerting) && length(yamldecode(module.prometheus.configuration["/lookout/config/prometheus.yml"]).rule_files) == 2
    error_message = "alerts would be evaluated twice"
  }
}

run "with_a_grafana_prometheus_may_evaluate_all_the_same" {
  command = plan

  variables {
    alerting               = "prometheus"
    grafana_admin_password = "correct horse battery"
    images                 = { console = "lookout/console:test", exporter = "lookout/exporter:test", grafana = "grafana/grafana:13.2.3", relay = "lookout/relay:test" }
  }

  assert {
    condition     = output.stack.alerting == "prometheus" && contains(keys(output.services), "grafana") && contains(keys(output.services), "alertmanager")
    error_message = "the services are ${jsonencode(keys(output.services))}"
  }
}

run "without_the_sample_service_there_is_no_job_for_it" {
  command = plan

  variables {
    exporter = null
  }

  assert {
    condition     = !contains(yamldecode(module.prometheus.configuration["/lookout/config/prometheus.yml"]).scrape_configs[*].job_name, "go") && !contains(keys(output.services), "exporter")
    error_message = "the jobs are ${jsonencode(yamldecode(module.prometheus.configuration["/lookout/config/prometheus.yml"]).scrape_configs[*].job_name)}"
  }
}

run "further_jobs_stand_next_to_its_own" {
  command = plan

  variables {
    scrape_jobs = { mysql = { targets = [{ address = "mysql:9104" }] }, redis = { interval = "30s", targets = [{ address = "redis:9121", labels = { instance = "cache" } }] } }
  }

  assert {
    condition     = yamldecode(module.prometheus.configuration["/lookout/config/prometheus.yml"]).scrape_configs[*].job_name == ["alertmanager", "console", "drill", "go", "mysql", "redis", "relay", "prometheus"]
    error_message = "the jobs are ${jsonencode(yamldecode(module.prometheus.configuration["/lookout/config/prometheus.yml"]).scrape_configs[*].job_name)}"
  }
}

run "an_override_reaches_the_rule_file" {
  command = plan

  variables {
    alert_overrides = { GoThreadsHigh = { threshold = "77" } }
  }

  assert {
    condition     = anytrue([for text in values(module.alerts.alerts.rule_files) : can(regex("> 77", text))])
    error_message = "no rule file has the threshold"
  }
}

run "a_host_out_of_reach_needs_no_port" {
  command = plan

  variables {
    environment = { docker_host = "ssh://ops@monitoring.example.com", label = "test", name = "lookout-test" }
  }

  assert {
    condition     = length(terraform_data.free_port) == 0
    error_message = "ports of another host are tried on this one"
  }
}

run "an_unknown_engine_is_refused" {
  command = plan

  variables {
    alerting = "cortex"
  }

  expect_failures = [var.alerting]
}

run "grafana_as_engine_without_a_grafana_is_refused" {
  command = plan

  variables {
    alerting = "grafana"
  }

  expect_failures = [var.images]
}

run "a_missing_image_is_named" {
  command = plan

  variables {
    images = {}
  }

  expect_failures = [var.images]
}

run "a_grafana_without_a_password_is_refused" {
  command = plan

  variables {
    images = { console = "lookout/console:test", exporter = "lookout/exporter:test", grafana = "grafana/grafana:13.2.3", relay = "lookout/relay:test" }
  }

  expect_failures = [var.grafana_admin_password]
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
    environment = { label = "test", name = "Lookout" }
  }

  # Anything next to this failure, such as the same complaint of a module, would be an error.
  expect_failures = [var.environment]
}

run "a_host_name_as_address_is_refused_once" {
  command = plan

  variables {
    environment = { bind_address = "localhost", label = "test", name = "lookout-test" }
  }

  expect_failures = [var.environment]
}

run "a_zone_that_is_an_offset_is_refused_once" {
  command = plan

  variables {
    environment = { label = "test", name = "lookout-test", time_zone = "+08:00" }
  }

  expect_failures = [var.environment]
}

run "where_grafana_sends_by_itself_there_is_no_relay" {
  command = plan

  variables {
    delivery               = "native"
    grafana_admin_password = "correct horse battery"
    images                 = { console = "lookout/console:test", exporter = "lookout/exporter:test", grafana = "grafana/grafana:13.2.3", relay = "lookout/relay:test", robot = "lookout/robot:test" }
  }

  assert {
    condition     = !contains(keys(output.services), "relay") && contains(keys(output.services), "grafana")
    error_message = "with native delivery these run: ${jsonencode(keys(output.services))}"
  }
}

run "alertmanager_needs_the_relay" {
  command = plan

  variables {
    alerting = "prometheus"
    delivery = "native"
  }

  expect_failures = [var.delivery]
}

run "sources_bring_their_jobs" {
  command = plan

  variables {
    docker_socket  = { group_id = 999 }
    images         = { console = "lookout/console:test", exporter = "lookout/exporter:test", relay = "lookout/relay:test", sources = { blackbox-exporter = "lookout/blackbox-exporter:test", discovery = "lookout/discovery:test", jvm = "lookout/jvm:test", memcached = "lookout/memcached:test", memcached-exporter = "lookout/memcached-exporter:test", mysql = "lookout/mysql:test", mysql-exporter = "lookout/mysql-exporter:test", node-exporter = "lookout/node-exporter:test", postgres = "lookout/postgres:test", postgres-exporter = "lookout/postgres-exporter:test", pushgateway = "lookout/pushgateway:test", redis = "lookout/redis:test", redis-exporter = "lookout/redis-exporter:test", sample = "lookout/sample:test" } }
    sample_servers = true
    sources        = ["batch", "discovery", "host", "jvm", "memcached", "mysql", "postgres", "probe", "redis"]
  }

  assert {
    condition     = yamldecode(module.prometheus.configuration["/lookout/config/prometheus.yml"]).scrape_configs[*].job_name == ["alertmanager", "console", "discovered", "drill", "go", "host", "jvm", "memcached", "mysql", "postgres", "probe", "pushgateway", "redis", "relay", "prometheus"]
    error_message = "the jobs are ${jsonencode(yamldecode(module.prometheus.configuration["/lookout/config/prometheus.yml"]).scrape_configs[*].job_name)}"
  }
}

run "a_server_of_ones_own_takes_the_place_of_a_sample" {
  command = plan

  variables {
    images                   = { console = "lookout/console:test", exporter = "lookout/exporter:test", relay = "lookout/relay:test", sources = { mysql-exporter = "lookout/mysql-exporter:test" } }
    source_secrets_directory = "/etc/lookout/sources"
    source_settings          = { mysql = { address = "db.example.com:3306", instance = "orders-db" } }
    sources                  = ["mysql"]
  }

  assert {
    condition     = length(module.mysql[0].scrape_jobs.mysql.targets) == 1 && module.mysql[0].scrape_jobs.mysql.targets[0].labels.instance == "orders-db"
    error_message = "the jobs are ${jsonencode(module.mysql[0].scrape_jobs)}"
  }
}

run "a_source_that_is_nowhere_is_refused" {
  command = plan

  variables {
    sources = ["mysql"]
  }

  expect_failures = [var.sources]
}
