# What is run and scraped: a plan is enough, there is nothing to apply.

variables {
  targets = { ldap = "tls://ldap.example.com:636", shop = "https://shop.example.com/health", smtp = "tcp://smtp.example.com:25" }
}

run "what_prometheus_scrapes" {
  command = plan

  assert {
    condition     = { for target in output.scrape_jobs.probe.targets : target.labels.instance => "${target.labels.__param_module} ${target.labels.__param_target}" } == { ldap = "tls_connect ldap.example.com:636", shop = "http_2xx https://shop.example.com/health", smtp = "tcp_connect smtp.example.com:25" } && output.scrape_jobs.probe.path == "/probe" && keys(output.containers) == ["blackbox-exporter"]
    error_message = "the jobs are ${jsonencode(output.scrape_jobs)}"
  }
}

run "every_module_that_is_asked_for_is_configured" {
  command = plan

  assert {
    condition     = alltrue([for target in output.scrape_jobs.probe.targets : contains(keys(yamldecode(output.containers.blackbox-exporter.files["blackbox.yml"]).modules), target.labels.__param_module)])
    error_message = "the containers are ${jsonencode(output.containers)}"
  }
}

run "certificates_may_be_left_unverified" {
  command = plan

  variables {
    verify_certificates = false
  }

  assert {
    condition     = anytrue([for target in output.scrape_jobs.probe.targets : target.labels.__param_module == "tls_connect_unverified"]) && yamldecode(output.containers.blackbox-exporter.files["blackbox.yml"]).modules.tls_connect_unverified.tcp.tls_config.insecure_skip_verify
    error_message = "the jobs are ${jsonencode(output.scrape_jobs)}"
  }
}

run "an_unknown_scheme_is_refused" {
  command = plan

  variables {
    targets = { mail = "smtp://mail.example.com" }
  }

  expect_failures = [var.targets]
}
