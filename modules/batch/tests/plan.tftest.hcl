# What is run and scraped: a plan is enough, there is nothing to apply.

variables {
  sample_image = "lookout/sample:test"
}

run "what_prometheus_scrapes" {
  command = plan

  assert {
    condition     = output.scrape_jobs == { pushgateway = { honor_labels = true, targets = [{ address = "pushgateway:9091", labels = { instance = "pushgateway" } }] } } && output.push_url == "http://pushgateway:9091" && keys(output.containers) == ["batch-sample", "pushgateway"]
    error_message = "the jobs are ${jsonencode(output.scrape_jobs)}"
  }
}

run "without_a_sample_there_is_only_the_gateway" {
  command = plan

  variables {
    sample_image = null
  }

  assert {
    condition     = keys(output.containers) == ["pushgateway"]
    error_message = "the containers are ${jsonencode(output.containers)}"
  }
}
