terraform {
  required_version = ">= 1.11"

  required_providers {
    grafana = {
      source  = "grafana/grafana"
      version = "4.25.0"
    }
  }
}

# Address and credentials: GRAFANA_URL and GRAFANA_AUTH.
provider "grafana" {
  retries            = 5
  retry_status_codes = ["409", "429", "502", "503", "504"]
  retry_wait         = 1
}
