# Many generated dashboards through the API, by the module that everybody uses: `go run ./test/bench/dashboards`.

module "dashboards" {
  source = "../../../../modules/dashboards"

  path       = var.path
  datasource = { name = "Prometheus", type = "prometheus", uid = "prometheus" }
}

variable "path" {
  description = "Directory with the generated dashboards."
  type        = string
}

variable "store_dashboard_sha256" {
  description = "Whether state holds checksums (true) or whole dashboards."
  type        = bool
}

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
  store_dashboard_sha256 = var.store_dashboard_sha256
}
