locals {
  port = 9100
  # nobody. By number, since there is nothing in the image to look a name up in.
  user = "65534:65534"

  # 0.0.0.0 is where it listens, not where one can ask.
  host = var.publish == null ? null : contains(["0.0.0.0", "::"], var.publish.ip) ? "127.0.0.1" : strcontains(var.publish.ip, ":") ? "[${var.publish.ip}]" : var.publish.ip

  # One check goes on for 20 s once the service has answered: starting a check costs more than asking.
  healthcheck = {
    interval     = "1s"
    retries      = 3
    start_period = "45s"
    test         = ["CMD", "/bin/probe", "--hold=20s", "http://127.0.0.1:${local.port}/-/healthy"]
    timeout      = "30s"
  }
  tmpfs = { "/tmp" = "rw,noexec,nosuid,nodev,size=16m" }
}

resource "docker_image" "exporter" {
  name         = var.image
  keep_locally = true
}

# The provider plans a change of these in place and then does not make it.
resource "terraform_data" "replaces_container" {
  input = { healthcheck = local.healthcheck, tmpfs = local.tmpfs }
}

resource "docker_container" "exporter" {
  name       = "${var.name}-exporter"
  image      = docker_image.exporter.image_id
  entrypoint = ["/bin/exporter"]
  env        = ["GOMAXPROCS=${var.max_procs}"]
  command = concat(
    ["--listen=:${local.port}"],
    var.enable_faults ? ["--enable-faults"] : [],
    var.self_traffic > 0 ? ["--self-traffic=${var.self_traffic}"] : [],
  )
  restart               = "unless-stopped"
  wait                  = true
  destroy_grace_seconds = 15

  user          = local.user
  read_only     = true
  tmpfs         = local.tmpfs
  memory        = var.memory_mebibytes
  memory_swap   = var.memory_mebibytes
  security_opts = ["no-new-privileges:true"]
  log_driver    = "json-file"
  log_opts      = { max-file = "3", max-size = "10m" }

  capabilities {
    drop = ["ALL"]
  }

  healthcheck {
    interval     = local.healthcheck.interval
    retries      = local.healthcheck.retries
    start_period = local.healthcheck.start_period
    test         = local.healthcheck.test
    timeout      = local.healthcheck.timeout
  }

  labels {
    label = "lookout.environment"
    value = var.name
  }

  networks_advanced {
    name    = var.network.id
    aliases = ["exporter"]
  }

  dynamic "ports" {
    for_each = var.publish[*]

    content {
      internal = local.port
      external = ports.value.port
      ip       = ports.value.ip
    }
  }

  lifecycle {
    replace_triggered_by = [terraform_data.replaces_container]
  }
}
