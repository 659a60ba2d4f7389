locals {
  address = coalesce(var.address, "redis:6379")

  exporter = {
    binds = { for directory in var.secrets_directory[*] : "/secrets" => directory }
    command = concat(
      ["--redis.addr=redis://${local.address}", "--connection-timeout=2s", "--web.listen-address=:9121"],
      var.secrets_directory == null ? [] : ["--redis.password-file=/secrets/passwords.json", "--redis.user=${var.user}"],
    )
    env         = ["GOMAXPROCS=1"]
    health_path = "/health"
    health_port = 9121
    image       = var.image
    port        = 9121
  }

  sample = var.sample_image == null ? {} : {
    redis = {
      binds            = { for directory in var.secrets_directory[*] : "/secrets" => directory }
      command          = ["-c", file("${path.module}/sample.sh")]
      entrypoint       = ["sh"]
      env              = ["RIGHTS=${trimspace(file("${path.module}/rights.acl"))}"]
      image            = var.sample_image
      memory_mebibytes = 64
      port             = 6379
      user             = "999:999"
    }
  }

  containers = merge({ redis-exporter = local.exporter }, local.sample)
}
