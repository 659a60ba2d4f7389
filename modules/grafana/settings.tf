locals {
  settings = {
    analytics = {
      check_for_plugin_updates = "false"
      check_for_updates        = "false"
      feedback_links_enabled   = "false"
      reporting_enabled        = "false"
    }
    # Many small writes come at once while Terraform fills Grafana; without the write-ahead log SQLite
    # answers some of them with "database is locked".
    database     = { wal = "true" }
    date_formats = { default_timezone = var.time_zone }
    log          = { mode = "console" }
    news         = { news_feed_enabled = "false" }
    paths = {
      data         = "/var/lib/grafana"
      logs         = "/var/lib/grafana/log"
      plugins      = "/var/lib/grafana/plugins"
      provisioning = var.dashboards_directory == null ? "/etc/grafana/provisioning" : local.provisioning_path
    }
    # Grafana 12 and later fetch plugins in the background, where it can't reach the catalogue too,
    # and would put them over the ones in the image.
    plugins = {
      plugin_admin_enabled          = "false"
      preinstall_auto_update        = "false"
      preinstall_disabled           = "true"
      public_key_retrieval_disabled = "true"
    }
    security = {
      admin_password   = "$__file{${local.secrets_path}/admin_password}"
      admin_user       = "admin"
      cookie_secure    = startswith(local.root_url, "https://") ? "true" : "false"
      disable_gravatar = "true"
    }
    server = {
      http_port = tostring(local.port)
      root_url  = local.root_url
    }
    snapshots = { external_enabled = "false" }
    # Its Alertmanager otherwise notices a new contact point only after a minute.
    unified_alerting = { alertmanager_config_poll_interval = "10s" }
    users            = { allow_sign_up = "false" }
  }

  settings_by_variable = merge(concat([{ TZ = var.time_zone }], flatten([
    for settings in [local.settings, var.settings] : [for section, values in settings : {
      for key, value in values : "GF_${upper(replace("${section}_${key}", "/[.-]/", "_"))}" => value
    }]
  ]))...)
}
