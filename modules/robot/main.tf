locals {
  port = 8060
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

resource "docker_image" "robot" {
  name         = var.image
  keep_locally = true
}

# The provider plans a change of these in place and then does not make it.
resource "terraform_data" "replaces_container" {
  input = { healthcheck = local.healthcheck, tmpfs = local.tmpfs }
}

resource "docker_container" "robot" {
  name       = "${var.name}-robot"
  image      = docker_image.robot.image_id
  entrypoint = ["/bin/robot"]
  command = concat(
    var.robots_directory == null ? ["--access-token=${var.access_token}"] : ["--robots-file=/robots/robots.yaml"],
    ["--listen=:${local.port}", "--time-zone=${var.time_zone}"],
    # An empty one says that there are none; without the flag the program has its default.
    [for keyword in coalescelist(var.keywords, [""]) : "--keyword=${keyword}" if var.robots_directory == null],
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
    aliases = ["robot"]
  }

  dynamic "ports" {
    for_each = var.publish[*]

    content {
      internal = local.port
      external = ports.value.port
      ip       = ports.value.ip
    }
  }

  dynamic "volumes" {
    for_each = var.robots_directory[*]

    content {
      container_path = "/robots"
      host_path      = volumes.value
      read_only      = true
    }
  }

  lifecycle {
    replace_triggered_by = [terraform_data.replaces_container]
  }
}
