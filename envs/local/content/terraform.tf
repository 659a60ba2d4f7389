terraform {
  required_version = ">= 1.11"

  required_providers {
    grafana = {
      source  = "grafana/grafana"
      version = "4.25.0"
    }
  }
}

# Address and credentials come from variables or, where those are null, from GRAFANA_URL and GRAFANA_AUTH.
provider "grafana" {
  url  = var.grafana_url
  auth = var.grafana_auth

  # Contact points, templates and the policy are one document in Grafana; writes that meet are answered with 409, which
  # the provider doesn't repeat unless told to.
  retries            = 5
  retry_status_codes = ["409", "429", "5xx"]
  retry_wait         = 1

  # Only a checksum of each dashboard goes into state, so that many dashboards stay quick; `lookout diff` shows changes
  # better than a plan could. The price: provider 4.25 replaces an edited dashboard (it looks for the old uid in the
  # checksum), so Grafana's own version history and stars of it start anew. Git has the history.
  store_dashboard_sha256 = true
}
