output "exporter" {
  description = "The exporter's container and its URL on the host."
  value       = module.exporter.service
}

output "grafana" {
  description = "Grafana's container, its URLs and the name of its administrator; the password is in no output."
  value       = module.grafana.server
}

output "network" {
  description = "The Docker network in which the containers know each other by name."
  value       = local.network.name
}

output "prometheus" {
  description = "Prometheus' container and its URLs inside the network and on the host."
  value       = module.prometheus.server
}

output "relay" {
  description = "The relay's container, where contact points send to inside the network, and its page on the host."
  value       = module.relay.relay
}
