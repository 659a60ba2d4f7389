# What is run and scraped: a plan is enough, there is nothing to apply.

variables {
  sample_image      = "lookout/redis:test"
  secrets_directory = "/etc/lookout/redis"
}

run "what_prometheus_scrapes" {
  command = plan

  assert {
    condition     = output.scrape_jobs == { redis = { targets = [{ address = "redis-exporter:9121", labels = { instance = "redis1" } }] } } && keys(output.containers) == ["redis", "redis-exporter"]
    error_message = "the jobs are ${jsonencode(output.scrape_jobs)}"
  }
}

run "a_server_of_ones_own_needs_no_sample" {
  command = plan

  variables {
    address      = "redis.example.com:6379"
    sample_image = null
  }

  assert {
    condition     = keys(output.containers) == ["redis-exporter"] && strcontains(jsonencode(output.containers), "redis.example.com:6379")
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
    address      = "tcp://redis.example.com:6379/"
    sample_image = null
  }

  expect_failures = [var.address]
}

run "credentials_are_mounted_and_not_written_down" {
  command = plan

  assert {
    condition     = alltrue([for container in values(output.containers) : container.binds == { "/secrets" = "/etc/lookout/redis" }]) && !can(regex("(?i)password=", jsonencode(output.containers)))
    error_message = "the containers are ${jsonencode(output.containers)}"
  }
}
