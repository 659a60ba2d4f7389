locals {
  address = coalesce(var.address, "postgres:5432")

  exporter = {
    binds   = { for directory in var.secrets_directory[*] : "/secrets" => directory }
    command = ["--collector.long_running_transactions", "--no-collector.wal", "--web.listen-address=:9187"]
    env = [
      "DATA_SOURCE_PASS_FILE=/secrets/password",
      "DATA_SOURCE_URI=${local.address}/postgres?sslmode=${coalesce(var.ssl_mode, var.address == null ? "disable" : "verify-full")}",
      "DATA_SOURCE_USER=${var.user}",
      "GOMAXPROCS=1",
    ]
    health_path = "/"
    health_port = 9187
    image       = var.image
    port        = 9187
  }

  sample = var.sample_image == null ? {} : {
    postgres = {
      binds            = { for directory in var.secrets_directory[*] : "/secrets" => directory }
      command          = ["-c", file("${path.module}/sample.sh")]
      data_path        = "/var/lib/postgresql/data"
      entrypoint       = ["sh"]
      env              = ["RIGHTS=${file("${path.module}/rights.sql")}"]
      health           = ["pg_isready", "--quiet", "--host=127.0.0.1"]
      image            = var.sample_image
      memory_mebibytes = 128
      port             = 5432
      user             = "999:999"
    }
  }

  containers = merge({ postgres-exporter = local.exporter }, local.sample)
}
