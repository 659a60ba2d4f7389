output "folder" {
  description = "uid and title of the folder, once it exists."
  value = {
    title = grafana_folder.folder.title
    uid   = grafana_folder.folder.uid
  }
}

output "urls" {
  description = "Address of each dashboard by uid."
  value       = { for uid, dashboard in grafana_dashboard.dashboard : uid => dashboard.url }
}
