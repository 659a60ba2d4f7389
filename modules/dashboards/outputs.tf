output "dashboards" {
  description = "Every dashboard by uid: its file, the directory name of its folder, and its title. Read from the files, so known while planning."
  value = {
    for uid, dashboard in local.found.dashboards : uid => {
      file   = "${local.directory}/${dashboard.file}"
      folder = dashboard.folder
      title  = dashboard.title
    }
  }
}

output "folders" {
  description = "uid and title of each folder by directory name, once it exists."
  value       = { for name, folder in module.folder : name => folder.folder }
}

output "urls" {
  description = "Address of every dashboard by uid, without the part that Grafana makes from its title."
  value       = merge([for folder in values(module.folder) : folder.urls]...)
}
