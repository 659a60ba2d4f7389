terraform {
  required_version = ">= 1.11"

  required_providers {
    grafana = {
      source  = "grafana/grafana"
      version = "4.25.0"
    }
  }

  # Bucket, region, endpoint and credentials differ per organisation and come from a file that is not committed:
  # terraform init -backend-config=backend.hcl (backend.hcl.example shows one). With native delivery the robots' tokens
  # are in this state.
  backend "s3" {
    encrypt      = true
    key          = "lookout/prod/content.tfstate"
    use_lockfile = true
  }
}

# Address and credentials come from variables or, where those are null, from GRAFANA_URL and GRAFANA_AUTH.
provider "grafana" {
  url  = var.grafana_url
  auth = var.grafana_auth

  # Contact points, templates and the policy are one document in Grafana; writes that meet are answered with 409, which
  # the provider doesn't retry unless configured to. A 500 is how Grafana rejects, and does not go away by itself.
  retries            = 5
  retry_status_codes = ["409", "429", "502", "503", "504"]
  retry_wait         = 1

  # A checksum in place of each dashboard keeps the state of hundreds quick to plan, but provider 4.25 then replaces an
  # edited dashboard, which loses its stars and Grafana's own history of it. For some dozens, edits in place are better.
  store_dashboard_sha256 = false
}
