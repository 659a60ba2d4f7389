# Docker notices a port that is taken when it starts the container, and by then half the environment
# stands. So each port is tried before anything else is made; later it is our own container that
# holds it, and it is not tried again until it changes. Another host's ports can't be tried from here.
locals {
  running = concat(
    ["console", "prometheus"],
    local.relayed ? ["relay"] : [],
    local.prometheus ? ["alertmanager"] : [],
    local.has_grafana ? ["grafana"] : [],
    var.exporter == null ? [] : ["exporter"],
    var.robot ? ["robot"] : [],
  )
}

resource "terraform_data" "free_port" {
  for_each = { for service, port in var.ports : service => port if contains(local.running, service) && !local.remote }

  triggers_replace = [var.environment.bind_address, each.value]

  provisioner "local-exec" {
    command = "sh '${path.module}/free_port.sh'"

    environment = {
      HOST    = contains(["0.0.0.0", "::"], var.environment.bind_address) ? "127.0.0.1" : var.environment.bind_address
      PORT    = each.value
      SERVICE = each.key
    }
  }
}
