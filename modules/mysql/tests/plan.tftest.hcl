# What is run and scraped: a plan is enough, there is nothing to apply.

variables {
  sample_image      = "lookout/mysql:test"
  secrets_directory = "/etc/lookout/mysql"
}

run "what_prometheus_scrapes" {
  command = plan

  assert {
    condition     = output.scrape_jobs == { mysql = { targets = [{ address = "mysql-exporter:9104", labels = { instance = "mysql1" } }] } } && keys(output.containers) == ["mysql", "mysql-exporter"]
    error_message = "the jobs are ${jsonencode(output.scrape_jobs)}"
  }
}

run "a_server_of_ones_own_needs_no_sample" {
  command = plan

  variables {
    address      = "mysql.example.com:3306"
    sample_image = null
  }

  assert {
    condition     = keys(output.containers) == ["mysql-exporter"] && strcontains(jsonencode(output.containers), "mysql.example.com:3306")
    error_message = "the containers are ${jsonencode(output.containers)}"
  }
}

run "neither_a_server_nor_a_sample_is_refused" {
  command = plan

  variables {
    sample_image = null
  }

  expect_failures = [var.address]
}

run "an_address_with_a_scheme_is_refused" {
  command = plan

  variables {
    address      = "tcp://mysql.example.com:3306/"
    sample_image = null
  }

  expect_failures = [var.address]
}

run "credentials_are_mounted_and_not_written_down" {
  command = plan

  assert {
    condition     = alltrue([for container in values(output.containers) : container.binds == { "/secrets" = "/etc/lookout/mysql" }]) && !can(regex("(?i)password=", jsonencode(output.containers)))
    error_message = "the containers are ${jsonencode(output.containers)}"
  }
}
