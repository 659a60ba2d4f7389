output "container" {
  description = "The container as the provider knows it, for tests and for whoever has to wait for it."
  value       = docker_container.container
}

output "url" {
  description = "Address of the published port as seen from the host; null where none is published."
  value       = var.publish == null ? null : "http://${local.host}:${var.publish.port}"
}
