# What is run and scraped: a plan is enough, there is nothing to apply.

variables {
  sample_image = "lookout/jvm:test"
}

run "what_prometheus_scrapes" {
  command = plan

  assert {
    condition     = output.scrape_jobs == { jvm = { targets = [{ address = "jvm-sample:9404", labels = { instance = "jvm1" } }] } } && strcontains(output.containers.jvm-sample.files["Sample.java"], "public class Sample")
    error_message = "the jobs are ${jsonencode(output.scrape_jobs)}"
  }
}

run "programs_of_ones_own_are_scraped" {
  command = plan

  variables {
    sample_image = null
    targets      = { orders1 = "orders.example.com:9404" }
  }

  assert {
    condition     = length(output.containers) == 0 && output.scrape_jobs == { jvm = { targets = [{ address = "orders.example.com:9404", labels = { instance = "orders1" } }] } }
    error_message = "the jobs are ${jsonencode(output.scrape_jobs)}"
  }
}

run "nothing_to_scrape_is_refused" {
  command = plan

  variables {
    sample_image = null
  }

  expect_failures = [var.targets]
}
