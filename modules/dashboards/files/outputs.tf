output "files" {
  description = "What is in the directory: `directory`, `dashboards` by uid (file, folder, form, title), `folders` by directory name (title, uid), and the `thresholds` that were given."
  value = {
    directory  = local.directory
    folders    = local.folders
    thresholds = var.thresholds
    dashboards = {
      for uid, files in local.uids : uid => {
        file   = files[0]
        folder = dirname(files[0])
        form   = lookup(local.forms, files[0], "classic")
        title  = lookup(local.titles, files[0], "")
      }
    }
  }

  # Here rather than on a resource, because then one failing check stops what comes after and nothing else complains.
  precondition {
    condition     = length(local.findings) == 0
    error_message = "The dashboards can't be applied as they are:\n${join("\n", [for finding in local.findings : "- ${finding}"])}"
  }
}
