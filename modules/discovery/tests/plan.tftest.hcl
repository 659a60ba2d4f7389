# What is run and scraped: a plan is enough, there is nothing to apply.

variables {
  docker_socket = { group_id = 999 }
  image         = "lookout/discovery:test"
  network       = "lookout-test"
}

run "only_its_container_has_the_socket" {
  command = plan

  assert {
    condition     = output.containers.discovery.binds == { "/var/run/docker.sock" = "/var/run/docker.sock" } && output.containers.discovery.group_add == ["999"] && output.scrape_jobs.discovered.docker[0].host == "tcp://discovery:2375"
    error_message = "the containers are ${jsonencode(output.containers)}"
  }
}

run "containers_of_other_networks_are_left_alone" {
  command = plan

  assert {
    condition     = output.scrape_jobs.discovered.relabelings[0] == { action = "keep", regex = "lookout-test", source_labels = ["__meta_docker_network_name"] } && contains(output.containers.discovery.command, "--network=lookout-test") && contains(output.containers.discovery.command, "--label=lookout.scrape=true")
    error_message = "the jobs are ${jsonencode(output.scrape_jobs)}"
  }
}

run "a_relative_socket_is_refused" {
  command = plan

  variables {
    docker_socket = { group_id = 999, path = "docker.sock" }
  }

  expect_failures = [var.docker_socket]
}
