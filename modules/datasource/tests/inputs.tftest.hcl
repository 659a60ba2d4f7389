mock_provider "grafana" {}

variables {
  url = "http://prometheus:9090"
}

run "defaults_describe_lookouts_own_prometheus" {
  command = plan

  assert {
    condition     = grafana_data_source.prometheus.uid == "prometheus" && grafana_data_source.prometheus.is_default
    error_message = "the default is the datasource \"prometheus\", used where a panel names none"
  }

  assert {
    condition     = jsondecode(grafana_data_source.prometheus.json_data_encoded).timeInterval == "10s"
    error_message = "Grafana must know the scrape interval, or $__rate_interval is wrong"
  }

  assert {
    condition     = !jsondecode(grafana_data_source.prometheus.json_data_encoded).manageAlerts
    error_message = "the rule editor must not write rules into this Prometheus"
  }
}

run "basic_auth_is_passed_on_with_its_password_apart" {
  command = plan

  variables {
    basic_auth = { username = "grafana", password = "swordfish" }
  }

  assert {
    condition     = grafana_data_source.prometheus.basic_auth_username == "grafana"
    error_message = "user name is missing"
  }

  assert {
    condition     = !strcontains(grafana_data_source.prometheus.json_data_encoded, "swordfish")
    error_message = "the password stands in the readable settings"
  }
}

run "an_address_without_a_scheme_is_refused" {
  command = plan

  variables {
    url = "prometheus:9090"
  }

  expect_failures = [var.url]
}

run "an_address_with_a_password_in_it_is_refused" {
  command = plan

  variables {
    url = "https://grafana:swordfish@prometheus.example.com"
  }

  expect_failures = [var.url]
}

run "a_scrape_interval_of_zero_is_refused" {
  command = plan

  variables {
    scrape_interval = "0s"
  }

  expect_failures = [var.scrape_interval]
}

run "a_uid_that_grafana_would_refuse_is_refused_first" {
  command = plan

  variables {
    uid = "my prometheus"
  }

  expect_failures = [var.uid]
}
