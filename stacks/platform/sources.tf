# Sources of metrics besides the sample service: each is an exporter, what Prometheus scrapes, a dashboard, alerts, and, in
# local, a small server to try them on. What is not in var.sources costs nothing.
#
#   server ─▶ exporter ─▶ prometheus

locals {
  # A source whose server is not named watches a sample, where samples are allowed.
  sample = { for role in ["jvm", "memcached", "mysql", "postgres", "redis", "sample"] : role => var.sample_servers ? lookup(var.images.sources, role, null) : null }

  source_image = { for role in ["blackbox-exporter", "discovery", "memcached-exporter", "mysql-exporter", "node-exporter", "postgres-exporter", "pushgateway", "redis-exporter"] :
    role => lookup(var.images.sources, role, null)
  }

  # Folders of the samples' secrets, one for each source; a server of one's own names its own.
  source_secrets = { for source in ["mysql", "postgres", "redis"] : source => var.source_secrets_directory == null ? null : "${var.source_secrets_directory}/${source}" }

  source_containers = merge(concat(
    module.batch[*].containers, module.discovery[*].containers, module.host[*].containers, module.jvm[*].containers, module.memcached[*].containers,
    module.mysql[*].containers, module.postgres[*].containers, module.probe[*].containers, module.redis[*].containers,
  )...)

  source_jobs = merge(
    { for job in module.batch : "pushgateway" => job.scrape_jobs.pushgateway },
    { for job in module.discovery : "discovered" => job.scrape_jobs.discovered },
    { for job in module.host : "host" => job.scrape_jobs.host },
    { for job in module.jvm : "jvm" => job.scrape_jobs.jvm },
    { for job in module.memcached : "memcached" => job.scrape_jobs.memcached },
    { for job in module.mysql : "mysql" => job.scrape_jobs.mysql },
    { for job in module.postgres : "postgres" => job.scrape_jobs.postgres },
    { for job in module.probe : "probe" => job.scrape_jobs.probe },
    { for job in module.redis : "redis" => job.scrape_jobs.redis },
  )
}

# What runs. Prometheus is told about it once it is healthy, so that nothing is missed that is only starting.
module "sources" {
  source = "../../modules/sources"
  count  = length(var.sources) == 0 ? 0 : 1

  containers  = local.source_containers
  environment = local.environment
}

module "batch" {
  source = "../../modules/batch"
  count  = contains(var.sources, "batch") ? 1 : 0

  image        = local.source_image["pushgateway"]
  sample_image = local.sample["sample"]
}

module "discovery" {
  source = "../../modules/discovery"
  count  = contains(var.sources, "discovery") ? 1 : 0

  docker_socket = var.docker_socket
  network       = var.environment.name
  image         = local.source_image["discovery"]
}

module "host" {
  source = "../../modules/host"
  count  = contains(var.sources, "host") ? 1 : 0

  image    = local.source_image["node-exporter"]
  instance = var.source_settings.host.instance
}

module "jvm" {
  source = "../../modules/jvm"
  count  = contains(var.sources, "jvm") ? 1 : 0

  sample_image = length(var.source_settings.jvm.targets) == 0 ? local.sample["jvm"] : null
  targets      = var.source_settings.jvm.targets
}

module "memcached" {
  source = "../../modules/memcached"
  count  = contains(var.sources, "memcached") ? 1 : 0

  address      = var.source_settings.memcached.address
  image        = local.source_image["memcached-exporter"]
  instance     = var.source_settings.memcached.instance
  sample_image = var.source_settings.memcached.address == null ? local.sample["memcached"] : null
}

module "mysql" {
  source = "../../modules/mysql"
  count  = contains(var.sources, "mysql") ? 1 : 0

  address           = var.source_settings.mysql.address
  image             = local.source_image["mysql-exporter"]
  instance          = var.source_settings.mysql.instance
  sample_image      = var.source_settings.mysql.address == null ? local.sample["mysql"] : null
  secrets_directory = local.source_secrets["mysql"]
}

module "postgres" {
  source = "../../modules/postgres"
  count  = contains(var.sources, "postgres") ? 1 : 0

  address           = var.source_settings.postgres.address
  image             = local.source_image["postgres-exporter"]
  instance          = var.source_settings.postgres.instance
  sample_image      = var.source_settings.postgres.address == null ? local.sample["postgres"] : null
  secrets_directory = local.source_secrets["postgres"]
  ssl_mode          = var.source_settings.postgres.ssl_mode
}

module "probe" {
  source = "../../modules/probe"
  count  = contains(var.sources, "probe") ? 1 : 0

  image        = local.source_image["blackbox-exporter"]
  sample_image = length(var.source_settings.probe.targets) == 0 ? local.sample["sample"] : null
  targets = length(var.source_settings.probe.targets) > 0 ? var.source_settings.probe.targets : {
    console        = "http://console:8090/-/healthy"
    prometheus-tcp = "tcp://prometheus:9090"
    tls-sample     = "tls://tls-sample:8443"
  }
  verify_certificates = length(var.source_settings.probe.targets) > 0
}

module "redis" {
  source = "../../modules/redis"
  count  = contains(var.sources, "redis") ? 1 : 0

  address           = var.source_settings.redis.address
  image             = local.source_image["redis-exporter"]
  instance          = var.source_settings.redis.instance
  sample_image      = var.source_settings.redis.address == null ? local.sample["redis"] : null
  secrets_directory = local.source_secrets["redis"]
}
