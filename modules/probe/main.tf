locals {
  config_path = "/lookout/config"

  # A target that is an address of a web server is asked over HTTP, one that begins with tls:// or tcp:// is only connected to.
  targets = { for name, target in var.targets : name => {
    module = startswith(target, "http") ? "http_2xx" : startswith(target, "tcp://") ? "tcp_connect" : var.verify_certificates ? "tls_connect" : "tls_connect_unverified"
    target = trimprefix(trimprefix(target, "tcp://"), "tls://")
  } }

  modules = {
    http_2xx               = { prober = "http", timeout = var.timeout, http = { preferred_ip_protocol = "ip4" } }
    tcp_connect            = { prober = "tcp", timeout = var.timeout, tcp = { preferred_ip_protocol = "ip4" } }
    tls_connect            = { prober = "tcp", timeout = var.timeout, tcp = { preferred_ip_protocol = "ip4", tls = true } }
    tls_connect_unverified = { prober = "tcp", timeout = var.timeout, tcp = { preferred_ip_protocol = "ip4", tls = true, tls_config = { insecure_skip_verify = true } } }
  }

  containers = merge({
    blackbox-exporter = {
      command     = ["--config.file=${local.config_path}/blackbox.yml", "--web.listen-address=:9115"]
      config_path = local.config_path
      env         = ["GOMAXPROCS=1"]
      files       = { "blackbox.yml" = yamlencode({ modules = local.modules }) }
      health_path = "/-/healthy"
      health_port = 9115
      image       = var.image
      port        = 9115
    }
    # Something to probe over TLS where there is nothing: a server whose certificate is valid for 60 days from its start.
    }, var.sample_image == null ? {} : {
    tls-sample = {
      command          = ["tls", "--listen=:8443", "--listen-http=:8081"]
      entrypoint       = ["/bin/sample"]
      health_path      = "/-/healthy"
      health_port      = 8081
      image            = var.sample_image
      memory_mebibytes = 32
      port             = 8443
    }
  })
}
