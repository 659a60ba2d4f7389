output "containers" {
  description = "The name of each container, by its name in the network; known once all are healthy."
  value       = { for name, container in module.container : name => container.container.name }
}
