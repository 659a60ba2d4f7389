module "files" {
  source = "./files"

  path                 = var.path
  decode_limit         = var.decode_limit
  folder_titles        = var.folder_titles
  folder_uid_prefix    = var.folder_uid_prefix
  grafana_version      = var.grafana_version
  min_refresh_interval = var.min_refresh_interval
  other_folders        = var.other_folders
  schema_v2            = var.schema_v2
  thresholds           = var.thresholds
}

locals {
  # Through the output that carries the check: where something is wrong, nothing of this is planned.
  found     = module.files.files
  directory = local.found.directory

  # What this Grafana can do, as one comparable number: 11.5.2 is 11005002.
  grafana = sum([for index, part in regexall("[0-9]+", var.grafana_version) : part * [1000000, 1000, 1][index] if index < 3])
}

module "folder" {
  source   = "./folder"
  for_each = local.found.folders

  folder  = each.value
  message = var.message
  # Before 10.2 the question what is in a folder is answered with everything there is.
  keep_foreign = local.grafana >= 10002000
  dashboards = {
    for uid, dashboard in local.found.dashboards : uid => {
      file        = "${local.directory}/${dashboard.file}"
      replacement = lookup(local.replacements, dashboard.file, null)
    } if dashboard.folder == each.key
  }
}
