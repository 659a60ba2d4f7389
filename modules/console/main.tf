locals {
  port         = 8090
  content_path = "/lookout/content"
  secrets_path = "/lookout/secrets"

  directories = merge({ dashboards = var.dashboards }, { for directory in var.runbooks[*] : "runbooks" => directory })
  patterns    = { dashboards = "**/*.json", runbooks = "*.md" }

  sources = var.mount ? {} : merge([for name, directory in local.directories : {
    for file in fileset(directory, local.patterns[name]) : "${name}/${file}" => "${directory}/${file}"
  }]...)

  # A folder of its own for each state of the files: what was deleted must not stay on show.
  version = substr(sha256(jsonencode({ for file, source in local.sources : file => filesha256(source) })), 0, 12)
  root    = var.mount ? local.content_path : "${local.content_path}/${local.version}"

  # 0.0.0.0 is where it listens, not where one can ask.
  host         = var.publish == null ? null : contains(["0.0.0.0", "::"], var.publish.ip) ? "127.0.0.1" : strcontains(var.publish.ip, ":") ? "[${var.publish.ip}]" : var.publish.ip
  scheme       = var.web_config_file == null ? "http" : "https"
  external_url = var.external_url != null ? var.external_url : var.publish == null ? "${local.scheme}://console:${local.port}" : "${local.scheme}://${local.host}:${var.publish.port}"

  binds = merge(
    var.mount ? { for name, directory in local.directories : "${local.content_path}/${name}" => abspath(directory) } : {},
    { for directory in var.secrets_directory[*] : (local.secrets_path) => directory },
  )
}

resource "docker_image" "console" {
  name         = var.image
  keep_locally = true
}

module "content" {
  source = "../_config_volume"
  count  = var.mount ? 0 : 1

  environment      = var.environment
  image_id         = docker_image.console.image_id
  memory_mebibytes = var.memory_mebibytes
  path             = local.content_path
  service          = "console"
  sources          = { for file, source in local.sources : "${local.version}/${file}" => source }
  suffix           = "content"
}

module "container" {
  source = "../_container"

  binds = local.binds
  command = concat(
    ["serve", "${local.root}/dashboards"],
    [for _ in var.runbooks[*] : "--runbooks=${local.root}/runbooks"],
    ["--prometheus=${var.prometheus_url}", "--drill-series=${var.drill_series}"],
    [for url in var.alertmanager_url[*] : "--alertmanager=${url}"],
    [for url in var.relay_url[*] : "--relay=${url}"],
    ["--external-url=${local.external_url}", "--listen=0.0.0.0:${local.port}", "--scrape-interval=${var.scrape_interval}", "--timezone=${var.time_zone}"],
    # Without a login it requires a flag that says that only this machine reaches its port.
    var.web_config_file == null ? ["--published-on-loopback"] : ["--web.config.file=${local.secrets_path}/${var.web_config_file}"],
  )
  entrypoint    = ["/bin/lookout"]
  environment   = var.environment
  grace_seconds = 15
  # Behind a login the check has no password, and the certificate is for another name: any answer is a sign of life.
  health           = { command = concat(["/bin/probe", "--hold=20s"], local.scheme == "https" ? ["--alive"] : [], ["${local.scheme}://127.0.0.1:${local.port}/-/healthy"]) }
  image_id         = docker_image.console.image_id
  memory_mebibytes = var.memory_mebibytes
  port             = local.port
  publish          = var.publish
  service          = "console"

  volumes = { for content in module.content : (local.content_path) => { read_only = true, volume_name = content.volume } }
}
