# What is run and scraped: a plan is enough, there is nothing to apply.

variables {
  instance = "web1"
}

run "what_prometheus_scrapes" {
  command = plan

  assert {
    condition     = output.scrape_jobs == { host = { targets = [{ address = "node-exporter:9100", labels = { instance = "web1" } }] } } && output.containers.node-exporter.binds == { "/host" = "/" }
    error_message = "the jobs are ${jsonencode(output.scrape_jobs)}"
  }
}
