# Prometheus never sees the engine's socket, which is as good as root on the host. A program that holds it answers for two lists only, and
# only with what a scrape needs of containers that carry the label (ADR 38).
locals {
  containers = {
    discovery = {
      binds            = { (var.docker_socket.path) = var.docker_socket.path }
      command          = ["--listen=:2375", "--socket=${var.docker_socket.path}", "--label=${var.label}.scrape=true", "--network=${var.network}"]
      entrypoint       = ["/bin/discovery"]
      group_add        = [tostring(var.docker_socket.group_id)]
      health_path      = "/-/healthy"
      health_port      = 2375
      image            = var.image
      memory_mebibytes = 32
      port             = 2375
    }
  }
}
