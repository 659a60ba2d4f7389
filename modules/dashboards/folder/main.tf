# One instance of this module per folder: Terraform's planning is quadratic within a resource block, so forty blocks of
# 25 dashboards are planned four times as fast as one block of a thousand.

resource "grafana_folder" "folder" {
  uid   = var.folder.uid
  title = var.folder.title

  # Deleting a folder deletes what is in it, whoever made it.
  prevent_destroy_if_not_empty = var.keep_foreign
}

resource "grafana_dashboard" "dashboard" {
  for_each = var.dashboards

  folder      = grafana_folder.folder.uid
  config_json = each.value.replacement == null ? file(each.value.file) : each.value.replacement
  message     = var.message
  overwrite   = true
}
