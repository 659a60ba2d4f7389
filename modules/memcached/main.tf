locals {
  address = coalesce(var.address, "memcached:11211")

  exporter = {
    command     = ["--memcached.address=${local.address}", "--web.listen-address=:9150"]
    env         = ["GOMAXPROCS=1"]
    health_path = "/"
    health_port = 9150
    image       = var.image
    port        = 9150
  }

  sample = var.sample_image == null ? {} : {
    memcached = {
      command          = ["-m", "16", "-c", "128", "-t", "2", "-U", "0"]
      entrypoint       = ["memcached"]
      image            = var.sample_image
      memory_mebibytes = 48
      port             = 11211
      user             = "999:999"
    }
  }

  containers = merge({ memcached-exporter = local.exporter }, local.sample)
}
