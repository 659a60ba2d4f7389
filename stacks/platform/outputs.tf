output "services" {
  description = "Every service that runs, by name: its container's id and name, and its addresses inside the network and on the host. No password is in any output."
  value = merge(
    { for server in module.alertmanager : "alertmanager" => server.server },
    { console = module.console.console },
    { for service in module.exporter : "exporter" => service.service },
    { for server in module.grafana : "grafana" => server.server },
    { prometheus = module.prometheus.server },
    { for relay in module.relay : "relay" => relay.relay },
    { for robot in module.robot : "robot" => robot.robot },
  )
}

output "stack" {
  description = "What this stack is: its identity, which is a label on everything it consists of, its name, the engine that evaluates alerts, its Docker network, and the zone in which its people read times."
  value = {
    alerting  = local.alerting
    id        = terraform_data.identity.id
    name      = var.environment.name
    network   = docker_network.lookout.name
    time_zone = var.environment.time_zone
  }
}
