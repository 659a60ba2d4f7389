output "urls" {
  description = "Where people look."
  value = {
    alertmanager = module.alertmanager.server.url
    grafana      = module.grafana.server.url
    prometheus   = module.prometheus.server.url
    relay        = module.relay.relay.url
  }
}
