variable "grafana_admin_password" {
  description = "Password of Grafana's user \"admin\", at least 8 characters. Set TF_VAR_grafana_admin_password."
  type        = string
  nullable    = false
  sensitive   = true
}

variable "relay_image" {
  description = "Image of Lookout's relay. There is no published one: `make init` in a checkout of Lookout builds it."
  type        = string
  nullable    = false
}

variable "relay_secrets_directory" {
  description = "Directory on the Docker host with team.token and team.sign, readable by uid 65534."
  type        = string
  default     = "/etc/lookout/relay"
  nullable    = false
}
