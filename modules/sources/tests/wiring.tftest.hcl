# What becomes of the containers that sources ask for.

mock_provider "docker" {}

variables {
  environment = { name = "lookout-test", network = { id = "0123456789ab", name = "lookout-test" } }
  containers = {
    db          = { command = ["db"], data_path = "/data", health = ["db", "ping"], image = "db:1", port = 5432, user = "999:999" }
    db-exporter = { command = [], config_path = "/etc/db", files = { "db.yml" = "a: 1" }, health_path = "/metrics", health_port = 9100, image = "lookout/db-exporter:1", port = 9100 }
    published   = { command = [], health_path = "/", health_port = 9101, image = "prom/db-exporter:v1", port = 9101 }
    quiet       = { command = [], image = "db:1", port = 1 }
  }
}

run "containers_are_hardened_and_in_the_network_under_their_names" {
  command = apply

  assert {
    condition     = alltrue([for name, module in module.container : module.container.read_only && module.container.security_opts == toset(["no-new-privileges:true"]) && can(regex("^[1-9]", module.container.user)) && one(module.container.capabilities).drop == toset(["ALL"]) && module.container.memory > 0 && length(module.container.ports) == 0 && one(module.container.networks_advanced).aliases == toset([name])])
    error_message = "a container is writable, privileged, unlimited, published or not in the network"
  }

  assert {
    condition     = output.containers == { db = "lookout-test-db", db-exporter = "lookout-test-db-exporter", published = "lookout-test-published", quiet = "lookout-test-quiet" }
    error_message = "the containers are ${jsonencode(output.containers)}"
  }

  assert {
    condition     = one(module.container["db-exporter"].container.healthcheck).test == tolist(["CMD", "/bin/probe", "--hold=20s", "http://127.0.0.1:9100/metrics"]) && one(module.container["published"].container.healthcheck).test == tolist(["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:9101/"]) && one(module.container["db"].container.healthcheck).test == tolist(["CMD", "db", "ping"]) && length(module.container["quiet"].container.healthcheck) == 0 && !module.container["quiet"].container.wait
    error_message = "health is asked for in another way"
  }

  assert {
    condition     = keys(docker_volume.data) == ["db"] && keys(module.config) == ["db-exporter"] && one(module.container["db"].container.volumes).container_path == "/data" && one(module.container["db-exporter"].container.volumes).read_only
    error_message = "data and files are not where they belong"
  }

  assert {
    condition     = length([for entry in module.container["db-exporter"].container.env : entry if startswith(entry, "FILES=")]) == 1
    error_message = "other files would not replace the container"
  }
}
