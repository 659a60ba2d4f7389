locals {
  address = coalesce(var.address, "mysql:3306")

  exporter = {
    binds = { for directory in var.secrets_directory[*] : "/secrets" => directory }
    # Only what the rights of rights.sql allow and the dashboard shows.
    command = [
      "--config.my-cnf=/secrets/my.cnf",
      "--mysqld.address=${local.address}",
      "--no-collect.slave_status",
      "--no-collect.info_schema.innodb_cmp",
      "--no-collect.info_schema.innodb_cmpmem",
      "--no-collect.info_schema.query_response_time",
      "--web.listen-address=:9104",
    ]
    env         = ["GOMAXPROCS=1"]
    health_path = "/"
    health_port = 9104
    image       = var.image
    port        = 9104
  }

  sample = var.sample_image == null ? {} : {
    mysql = {
      binds            = { for directory in var.secrets_directory[*] : "/secrets" => directory }
      command          = ["-c", file("${path.module}/sample.sh")]
      data_path        = "/var/lib/mysql"
      entrypoint       = ["sh"]
      env              = ["RIGHTS=${file("${path.module}/rights.sql")}"]
      health           = ["mariadb", "--no-defaults", "--socket=/tmp/mysqld.sock", "--user=root", "--execute=SELECT 1"]
      image            = var.sample_image
      memory_mebibytes = 256
      port             = 3306
      user             = "999:999"
    }
  }

  containers = merge({ mysql-exporter = local.exporter }, local.sample)
}
