locals {
  # Prometheus' own grammar of durations and label names, here since no type can say it and promtool
  # is only asked at apply. The first part of duration keeps the empty string out.
  duration = "^[0-9]+(ms|[ywdhms])([0-9]+(ms|[wdhms]))*$"
  label    = "^[a-zA-Z_][a-zA-Z0-9_]*$"

  secrets_path = "/lookout/secrets"
  targets_path = "/lookout/targets"

  # A for over an object keeps values of different types apart, which a conditional cannot: so
  # whatever is not set is left out of the YAML instead of standing there as null.
  scrape_configs = [for name, job in var.scrape_jobs : { for key, value in {
    always_scrape_classic_histograms = job.native_histograms ? true : null
    authorization = job.authorization == null ? null : {
      credentials_file = "${local.secrets_path}/${job.authorization.credentials_file}"
      type             = job.authorization.type
    }
    basic_auth = job.basic_auth == null ? null : {
      password_file = "${local.secrets_path}/${job.basic_auth.password_file}"
      username      = job.basic_auth.username
    }
    dns_sd_configs = length(job.dns) == 0 ? null : [for dns in job.dns : { for key, value in dns : key => value if value != null }]
    docker_sd_configs = length(job.docker) == 0 ? null : [for docker in job.docker : {
      filters          = [for filter, values in docker.filters : { name = filter, values = values }]
      host             = docker.host
      port             = docker.port
      refresh_interval = docker.refresh_interval
    }]
    file_sd_configs = length(job.files) == 0 ? null : [for discovery in job.files : {
      files            = [for file in discovery.names : "${local.targets_path}/${file}"]
      refresh_interval = discovery.refresh_interval
    }]
    honor_labels             = job.honor_labels ? true : null
    job_name                 = name
    metric_relabel_configs   = length(job.metric_relabelings) == 0 ? null : [for step in job.metric_relabelings : { for key, value in step : key => value if value != null }]
    metrics_path             = job.path
    params                   = length(job.parameters) == 0 ? null : job.parameters
    relabel_configs          = length(job.relabelings) == 0 ? null : [for step in job.relabelings : { for key, value in step : key => value if value != null }]
    sample_limit             = job.sample_limit
    scheme                   = job.scheme
    scrape_interval          = job.interval
    scrape_native_histograms = job.native_histograms ? true : null
    scrape_timeout           = job.timeout
    static_configs           = length(job.targets) == 0 ? null : [for target in job.targets : { labels = target.labels, targets = [target.address] }]
    tls_config = job.tls == null ? null : { for key, value in {
      ca_file              = job.tls.ca_file == null ? null : "${local.secrets_path}/${job.tls.ca_file}"
      cert_file            = job.tls.cert_file == null ? null : "${local.secrets_path}/${job.tls.cert_file}"
      insecure_skip_verify = job.tls.insecure_skip_verify
      key_file             = job.tls.key_file == null ? null : "${local.secrets_path}/${job.tls.key_file}"
      server_name          = job.tls.server_name
    } : key => value if value != null }
  } : key => value if value != null }]

  self_scrape_config = {
    job_name       = "prometheus"
    static_configs = [{ labels = { instance = "prometheus" }, targets = ["localhost:9090"] }]
  }
}
