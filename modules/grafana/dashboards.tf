# Dashboards that Grafana reads from files by itself; the README says when that is the better way.

locals {
  dashboards_path = "/lookout/dashboards"
  # On the volume that the writer fills: the server's root is read-only, the provider's `upload` wants it writable.
  provisioning_path = "${local.secrets_path}/provisioning"
  provisioning = yamlencode({
    apiVersion = 1
    providers = [{
      name                  = "lookout"
      type                  = "file"
      allowUiUpdates        = false
      updateIntervalSeconds = 10
      options = {
        path                      = local.dashboards_path
        foldersFromFilesStructure = true
      }
    }]
  })
}

# All files in one hash, so that a plan says whether any has changed. Grafana looks by itself, every ten seconds.
resource "terraform_data" "dashboards" {
  count = length(var.dashboards_directory[*])

  input = sha256(jsonencode({
    for file in fileset(var.dashboards_directory, "**/*.json") : file => filesha256("${var.dashboards_directory}/${file}")
  }))
}
