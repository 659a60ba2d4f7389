# Docker notices a port that is taken when it starts the container, and by then half the environment
# stands. So each port is tried before anything else is made; curl answers 7 where nobody listens.
# It is tried once per port: later it is our own container that holds it.
resource "terraform_data" "free_port" {
  for_each = { for service, port in var.ports : service => port if contains(["exporter", "grafana", "prometheus", "robot"], service) }

  triggers_replace = [var.bind_address, each.value]

  provisioner "local-exec" {
    command = <<-EOT
      curl -s -o /dev/null --max-time 2 "http://$HOST:$PORT/"
      if [ $? -ne 7 ]; then
        echo "Port $PORT on $HOST, meant for $SERVICE, is in use. Stop what listens there, or choose another with ports = { $SERVICE = ... }." >&2
        exit 1
      fi
    EOT

    environment = {
      HOST    = contains(["0.0.0.0", "::"], var.bind_address) ? "127.0.0.1" : var.bind_address
      PORT    = each.value
      SERVICE = each.key
    }
  }
}
