locals {
  containers = merge({
    pushgateway = {
      command     = ["--web.listen-address=:9091"]
      env         = ["GOMAXPROCS=1"]
      health_path = "/-/healthy"
      health_port = 9091
      image       = var.image
      port        = 9091
    }
    # A job that does a little work every 15 s and pushes how it went.
    }, var.sample_image == null ? {} : {
    batch-sample = {
      command          = ["batch", "--gateway=http://pushgateway:9091", "--every=15s", "--listen-http=:8081"]
      entrypoint       = ["/bin/sample"]
      health_path      = "/-/healthy"
      health_port      = 8081
      image            = var.sample_image
      memory_mebibytes = 32
      port             = 8081
    }
  })
}
