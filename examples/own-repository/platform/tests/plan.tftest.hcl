mock_provider "docker" {}

variables {
  grafana_admin_password = "not-a-real-one"
  relay_image            = "lookout/relay:dev"
}

run "the_alert_is_in_prometheus_rules" {
  command = plan

  assert {
    condition     = strcontains(module.alerts.alerts.rule_files["shop.yaml"], "OrdersFailing")
    error_message = "the rule file has no OrdersFailing: ${module.alerts.alerts.rule_files["shop.yaml"]}"
  }

  assert {
    condition     = strcontains(join("", values(module.prometheus.configuration)), "host.docker.internal:8080")
    error_message = "the service on the host is not scraped"
  }

  assert {
    condition     = strcontains(join("", values(module.alertmanager.configuration)), "http://relay:8070/v1/")
    error_message = "nothing is sent to the relay"
  }
}
