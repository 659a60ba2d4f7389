# What goes in and what it becomes: literals, so a plan is enough.

mock_provider "docker" {}

variables {
  environment = { name = "lookout-test", network = { id = "0123456789ab", name = "lookout-test" } }
}

run "the_server_scrapes_itself_even_without_a_job" {
  command = plan

  assert {
    condition     = yamldecode(output.configuration["/lookout/config/prometheus.yml"]).scrape_configs == [{ job_name = "prometheus", static_configs = [{ labels = { instance = "prometheus" }, targets = ["localhost:9090"] }] }]
    error_message = "the job prometheus is not there alone"
  }

  assert {
    condition     = yamldecode(output.configuration["/lookout/config/prometheus.yml"]).global == { evaluation_interval = "10s", scrape_interval = "10s" }
    error_message = "the global section is not the documented default"
  }

  assert {
    condition     = yamldecode(output.configuration["/lookout/config/prometheus.yml"]).storage.tsdb.retention == { time = "15d" }
    error_message = "retention is not 15 days without a limit by size"
  }
}

run "a_target_keeps_its_labels_and_a_job_its_own_interval" {
  command = plan

  variables {
    scrape_jobs = {
      go = {
        interval          = "5s"
        native_histograms = true
        path              = "/internal/metrics"
        scheme            = "https"
        targets           = [{ address = "exporter:9100", labels = { instance = "go1" } }, { address = "other:9100" }]
        timeout           = "3s"
      }
    }
  }

  assert {
    condition = yamldecode(output.configuration["/lookout/config/prometheus.yml"]).scrape_configs[0] == {
      always_scrape_classic_histograms = true
      job_name                         = "go"
      metrics_path                     = "/internal/metrics"
      scheme                           = "https"
      scrape_interval                  = "5s"
      scrape_native_histograms         = true
      scrape_timeout                   = "3s"
      static_configs                   = [{ labels = { instance = "go1" }, targets = ["exporter:9100"] }, { labels = {}, targets = ["other:9100"] }]
    }
    error_message = "the job differs: ${jsonencode(yamldecode(output.configuration["/lookout/config/prometheus.yml"]).scrape_configs[0])}"
  }
}

run "each_kind_of_discovery_has_its_section" {
  command = plan

  variables {
    docker_socket     = { group_id = 999 }
    targets_directory = "/srv/targets"
    scrape_jobs = {
      containers = { docker = [{ filters = { label = ["metrics=yes"] }, port = 9100 }] }
      files      = { files = [{ names = ["mysql/*.json"] }] }
      names      = { dns = [{ names = ["_metrics._tcp.example.com"], type = "SRV" }, { names = ["cache.example.com"], port = 9150 }] }
    }
  }

  assert {
    condition     = yamldecode(output.configuration["/lookout/config/prometheus.yml"]).scrape_configs[0].docker_sd_configs == [{ filters = [{ name = "label", values = ["metrics=yes"] }], host = "unix:///var/run/docker.sock", port = 9100, refresh_interval = "30s" }]
    error_message = "Docker discovery differs"
  }

  assert {
    condition     = yamldecode(output.configuration["/lookout/config/prometheus.yml"]).scrape_configs[1].file_sd_configs == [{ files = ["/lookout/targets/mysql/*.json"], refresh_interval = "5m" }]
    error_message = "file discovery differs"
  }

  assert {
    condition     = yamldecode(output.configuration["/lookout/config/prometheus.yml"]).scrape_configs[2].dns_sd_configs == [{ names = ["_metrics._tcp.example.com"], refresh_interval = "30s", type = "SRV" }, { names = ["cache.example.com"], port = 9150, refresh_interval = "30s", type = "A" }]
    error_message = "DNS discovery differs"
  }

  assert {
    condition     = contains(module.container.container.group_add, "999")
    error_message = "the server is not in the socket's group"
  }

  assert {
    condition     = length([for mount in module.container.container.mounts : mount if contains(["/var/run/docker.sock", "/lookout/targets"], mount.target) && mount.read_only == true]) == 2
    error_message = "the socket and the targets are not mounted read-only"
  }
}

run "secrets_are_files_in_the_configuration" {
  command = plan

  variables {
    secrets_directory = "/srv/secrets"
    scrape_jobs = {
      basic  = { basic_auth = { password_file = "mysql/password", username = "lookout" }, targets = [{ address = "mysql:9104" }] }
      bearer = { authorization = { credentials_file = "token" }, scheme = "https", targets = [{ address = "api:443" }], tls = { ca_file = "ca.pem", cert_file = "client.pem", key_file = "client.key", server_name = "api" } }
    }
  }

  assert {
    condition     = yamldecode(output.configuration["/lookout/config/prometheus.yml"]).scrape_configs[0].basic_auth == { password_file = "/lookout/secrets/mysql/password", username = "lookout" }
    error_message = "basic authentication differs"
  }

  assert {
    condition     = yamldecode(output.configuration["/lookout/config/prometheus.yml"]).scrape_configs[1].authorization == { credentials_file = "/lookout/secrets/token", type = "Bearer" }
    error_message = "authorization differs"
  }

  assert {
    condition     = yamldecode(output.configuration["/lookout/config/prometheus.yml"]).scrape_configs[1].tls_config == { ca_file = "/lookout/secrets/ca.pem", cert_file = "/lookout/secrets/client.pem", insecure_skip_verify = false, key_file = "/lookout/secrets/client.key", server_name = "api" }
    error_message = "TLS differs"
  }

  assert {
    condition     = length([for mount in module.config.check.mounts : mount if mount.target == "/lookout/secrets" && mount.source == "/srv/secrets" && mount.read_only == true]) == 1
    error_message = "promtool can't see the secrets it has to find"
  }
}

run "parameters_limits_and_relabelling_reach_the_job" {
  command = plan

  variables {
    scrape_jobs = {
      probe = {
        honor_labels       = true
        metric_relabelings = [{ action = "drop", regex = "go_gc_.*", source_labels = ["__name__"] }]
        parameters         = { module = ["http_2xx"] }
        relabelings        = [{ replacement = "blackbox:9115", target_label = "__address__" }]
        sample_limit       = 1000
        targets            = [{ address = "example.com" }]
      }
    }
  }

  assert {
    condition = yamldecode(output.configuration["/lookout/config/prometheus.yml"]).scrape_configs[0] == {
      honor_labels           = true
      job_name               = "probe"
      metric_relabel_configs = [{ action = "drop", regex = "go_gc_.*", source_labels = ["__name__"] }]
      metrics_path           = "/metrics"
      params                 = { module = ["http_2xx"] }
      relabel_configs        = [{ action = "replace", replacement = "blackbox:9115", target_label = "__address__" }]
      sample_limit           = 1000
      scheme                 = "http"
      static_configs         = [{ labels = {}, targets = ["example.com"] }]
    }
    error_message = "the job differs: ${jsonencode(yamldecode(output.configuration["/lookout/config/prometheus.yml"]).scrape_configs[0])}"
  }
}

run "rules_come_from_the_variable_from_files_and_from_the_module" {
  command = plan

  variables {
    external_labels = { env = "test" }
    recording_rules = { business = { interval = "30s", labels = { team = "shop" }, rules = [{ expr = "sum(rate(orders_created_total[5m]))", record = "shop:orders:rate5m" }] } }
    retention       = { size = "10GB", time = "90d" }
    rule_files      = { "mine.yaml" = "groups: []" }
  }

  assert {
    condition     = yamldecode(output.configuration["/lookout/config/prometheus.yml"]).rule_files == ["/lookout/config/rules/mine.yaml", "/lookout/config/rules/recording_rules.yaml", "/lookout/config/rules/shipped_service.yaml", "/lookout/config/rules/shipped_trends.yaml"]
    error_message = "not all three rule files are loaded"
  }

  assert {
    condition     = yamldecode(output.configuration["/lookout/config/rules/recording_rules.yaml"]).groups == [{ interval = "30s", labels = { team = "shop" }, name = "business", rules = [{ expr = "sum(rate(orders_created_total[5m]))", record = "shop:orders:rate5m" }] }]
    error_message = "the recording rules differ"
  }

  assert {
    condition     = yamldecode(output.configuration["/lookout/config/prometheus.yml"]).storage.tsdb.retention == { size = "10GB", time = "90d" }
    error_message = "retention differs"
  }

  assert {
    condition     = yamldecode(output.configuration["/lookout/config/prometheus.yml"]).global.external_labels == { env = "test" }
    error_message = "the external labels are missing"
  }
}

run "shipped_rules_can_be_left_out" {
  command = plan

  variables {
    shipped_rules = false
  }

  assert {
    condition     = keys(output.configuration) == ["/lookout/config/prometheus.yml"]
    error_message = "there are rule files though none was asked for"
  }
}

run "a_name_with_capitals_is_refused" {
  command = plan

  variables {
    environment = { name = "Lookout", network = { id = "0123456789ab", name = "lookout-test" } }
  }

  expect_failures = [var.environment]
}

run "an_interval_that_is_no_duration_is_refused" {
  command = plan

  variables {
    scrape_interval = "10 seconds"
  }

  expect_failures = [var.scrape_interval]
}

run "an_evaluation_interval_that_is_no_duration_is_refused" {
  command = plan

  variables {
    evaluation_interval = ""
  }

  expect_failures = [var.evaluation_interval]
}

run "a_jobs_interval_that_is_no_duration_is_refused" {
  command = plan

  variables {
    scrape_jobs = { go = { interval = "ten", targets = [{ address = "exporter:9100" }] } }
  }

  expect_failures = [var.scrape_jobs]
}

run "a_job_without_targets_is_refused" {
  command = plan

  variables {
    scrape_jobs = { go = {} }
  }

  expect_failures = [var.scrape_jobs]
}

run "a_job_called_prometheus_is_refused" {
  command = plan

  variables {
    scrape_jobs = { prometheus = { targets = [{ address = "localhost:9090" }] } }
  }

  expect_failures = [var.scrape_jobs]
}

run "an_address_with_a_scheme_is_refused" {
  command = plan

  variables {
    scrape_jobs = { go = { targets = [{ address = "http://exporter:9100/metrics" }] } }
  }

  expect_failures = [var.scrape_jobs]
}

run "a_scheme_that_is_not_http_is_refused" {
  command = plan

  variables {
    scrape_jobs = { go = { scheme = "ftp", targets = [{ address = "exporter:9100" }] } }
  }

  expect_failures = [var.scrape_jobs]
}

run "a_path_without_its_slash_is_refused" {
  command = plan

  variables {
    scrape_jobs = { go = { path = "metrics", targets = [{ address = "exporter:9100" }] } }
  }

  expect_failures = [var.scrape_jobs]
}

run "a_label_that_is_no_label_name_is_refused" {
  command = plan

  variables {
    scrape_jobs = { go = { targets = [{ address = "exporter:9100", labels = { "data-centre" = "a" } }] } }
  }

  expect_failures = [var.scrape_jobs]
}

run "two_kinds_of_authentication_at_once_are_refused" {
  command = plan

  variables {
    secrets_directory = "/srv/secrets"
    scrape_jobs       = { go = { authorization = { credentials_file = "token" }, basic_auth = { password_file = "password", username = "lookout" }, targets = [{ address = "exporter:9100" }] } }
  }

  expect_failures = [var.scrape_jobs]
}

run "a_secret_outside_the_directory_is_refused" {
  command = plan

  variables {
    secrets_directory = "/srv/secrets"
    scrape_jobs       = { go = { authorization = { credentials_file = "mysql/../../etc/shadow" }, targets = [{ address = "exporter:9100" }] } }
  }

  expect_failures = [var.scrape_jobs]
}

run "a_secret_file_without_a_directory_is_refused" {
  command = plan

  variables {
    scrape_jobs = { go = { authorization = { credentials_file = "token" }, targets = [{ address = "exporter:9100" }] } }
  }

  expect_failures = [var.scrape_jobs]
}

run "discovery_files_without_a_directory_are_refused" {
  command = plan

  variables {
    scrape_jobs = { go = { files = [{ names = ["go.json"] }] } }
  }

  expect_failures = [var.scrape_jobs]
}

run "a_discovery_file_that_is_neither_JSON_nor_YAML_is_refused" {
  command = plan

  variables {
    targets_directory = "/srv/targets"
    scrape_jobs       = { go = { files = [{ names = ["go.txt"] }] } }
  }

  expect_failures = [var.scrape_jobs]
}

run "names_to_resolve_without_a_port_are_refused" {
  command = plan

  variables {
    scrape_jobs = { go = { dns = [{ names = ["exporter"] }] } }
  }

  expect_failures = [var.scrape_jobs]
}

run "Docker_discovery_without_a_socket_is_refused" {
  command = plan

  variables {
    scrape_jobs = { go = { docker = [{}] } }
  }

  expect_failures = [var.scrape_jobs]
}

run "retention_that_is_no_duration_is_refused" {
  command = plan

  variables {
    retention = { time = "forever" }
  }

  expect_failures = [var.retention]
}

run "retention_without_a_unit_is_refused" {
  command = plan

  variables {
    retention = { size = "10" }
  }

  expect_failures = [var.retention]
}

run "an_external_label_that_is_no_label_name_is_refused" {
  command = plan

  variables {
    external_labels = { "1st" = "a" }
  }

  expect_failures = [var.external_labels]
}

run "a_recording_rule_into_a_name_with_dashes_is_refused" {
  command = plan

  variables {
    recording_rules = { a = { rules = [{ expr = "up", record = "my-rule" }] } }
  }

  expect_failures = [var.recording_rules]
}

run "a_group_without_rules_is_refused" {
  command = plan

  variables {
    recording_rules = { a = { rules = [] } }
  }

  expect_failures = [var.recording_rules]
}

run "a_rule_file_that_is_no_rule_file_is_refused" {
  command = plan

  variables {
    rule_files = { "a.yaml" = "- just\n- a list" }
  }

  expect_failures = [var.rule_files]
}

run "a_rule_file_in_a_folder_is_refused" {
  command = plan

  variables {
    rule_files = { "../a.yaml" = "groups: []" }
  }

  expect_failures = [var.rule_files]
}

run "a_port_that_is_none_is_refused" {
  command = plan

  variables {
    publish = { port = 70000 }
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

run "a_reload_that_could_not_reach_the_server_is_refused" {
  command = plan

  variables {
    publish = null
  }

  expect_failures = [var.reload]
}

run "too_little_memory_is_refused" {
  command = plan

  variables {
    memory_mebibytes = 10
  }

  expect_failures = [var.memory_mebibytes]
}

run "a_relative_directory_is_refused" {
  command = plan

  variables {
    secrets_directory = "secrets"
    targets_directory = "targets"
  }

  expect_failures = [var.secrets_directory, var.targets_directory]
}
