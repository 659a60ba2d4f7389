output "check" {
  description = "The container that checked the files, for tests; null without a check."
  value       = one(docker_container.check)
}

output "hash" {
  description = "Hash of all files, for whoever makes the server reload them."
  value       = sha256(jsonencode(var.files))
}

output "volume" {
  description = "Name of the volume, known once the files are in it."
  value       = docker_volume.config.id

  depends_on = [docker_container.writer]
}

output "writer" {
  description = "The container that carried the files into the volume, for tests."
  value       = docker_container.writer
}
