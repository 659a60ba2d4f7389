output "folder" {
  description = "uid and title of the folder, once it exists."
  value = {
    title = grafana_folder.folder.title
    uid   = grafana_folder.folder.uid
  }
}

output "keep_foreign" {
  description = "Whether the folder stays while it holds what Terraform did not make."
  value       = var.keep_foreign
}

output "urls" {
  description = "Address of each dashboard by uid. Its last part, which Grafana makes from the title and needs for nothing, is left out: it would follow a new title one apply later."
  value       = { for uid, dashboard in grafana_dashboard.dashboard : uid => try(regex("^.*/d/[^/]+", dashboard.url), dashboard.url) }
}
