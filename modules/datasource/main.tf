resource "grafana_data_source" "prometheus" {
  type       = "prometheus"
  uid        = var.uid
  name       = var.name
  url        = var.url
  is_default = var.is_default

  basic_auth_enabled  = var.basic_auth != null
  basic_auth_username = var.basic_auth == null ? null : var.basic_auth.username

  json_data_encoded = jsonencode({
    # POST keeps long queries out of URLs and access logs.
    httpMethod = "POST"
    # Alert rules live in files, so Grafana's rule editor must not offer this server as a place to keep them.
    manageAlerts   = false
    prometheusType = "Prometheus"
    # Grafana derives $__rate_interval from it (four scrapes), so it has to be the truth.
    timeInterval = var.scrape_interval
  })

  secure_json_data_encoded = var.basic_auth == null ? null : jsonencode({
    basicAuthPassword = var.basic_auth.password
  })
}
