output "dashboards" {
  description = "Every dashboard by uid: its file, the directory name of its folder, and its title. Read from the files, so known while planning."
  value = {
    for uid, files in local.uids : uid => {
      file   = "${local.directory}/${files[0]}"
      folder = dirname(files[0])
      title  = lookup(local.titles, files[0], "")
    }
  }

  # Here rather than on a resource, because then one failing check stops what comes after and nothing else complains.
  precondition {
    condition     = length(local.findings) == 0
    error_message = "The dashboards can't be applied as they are:\n${join("\n", [for finding in local.findings : "- ${finding}"])}"
  }
}

output "folders" {
  description = "uid and title of each folder by directory name, once it exists."
  value       = { for name, folder in module.folder : name => folder.folder }
}

output "urls" {
  description = "Address of every dashboard by uid."
  value       = merge([for folder in values(module.folder) : folder.urls]...)
}
