output "services" {
  description = "Every service that runs, by name: its container, and its addresses inside the network and on the host. No password is in any output."
  value       = module.platform.services
}

output "stack" {
  description = "The stack's identity and name, the engine that evaluates alerts, and its Docker network."
  value       = module.platform.stack
}
