# What is run and scraped: a plan is enough, there is nothing to apply.

variables {
  sample_image = "lookout/memcached:test"
}

run "what_prometheus_scrapes" {
  command = plan

  assert {
    condition     = output.scrape_jobs == { memcached = { targets = [{ address = "memcached-exporter:9150", labels = { instance = "memcached1" } }] } } && keys(output.containers) == ["memcached", "memcached-exporter"]
    error_message = "the jobs are ${jsonencode(output.scrape_jobs)}"
  }
}

run "a_server_of_ones_own_needs_no_sample" {
  command = plan

  variables {
    address      = "memcached.example.com:11211"
    sample_image = null
  }

  assert {
    condition     = keys(output.containers) == ["memcached-exporter"] && strcontains(jsonencode(output.containers), "memcached.example.com:11211")
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
    address      = "tcp://memcached.example.com:11211/"
    sample_image = null
  }

  expect_failures = [var.address]
}
