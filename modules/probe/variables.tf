variable "image" {
  description = "Image of the exporter."
  type        = string
  default     = "prom/blackbox-exporter:v0.27.0"
  nullable    = false
}

variable "interval" {
  description = "How often each target is probed, as a Prometheus duration; null: as often as everything else is scraped."
  type        = string
  default     = null
}

variable "sample_image" {
  description = "Image with /bin/sample, which is run as a server to probe over TLS; null: none."
  type        = string
  default     = null
}

variable "targets" {
  description = "What is probed, by the value of the label instance: http:// and https:// addresses, tcp://host:port for a connection, tls://host:port for a connection and its certificate."
  type        = map(string)
  nullable    = false

  validation {
    condition     = length(var.targets) > 0 && alltrue([for target in values(var.targets) : can(regex("^(https?://[^\\s]+|(tcp|tls)://[^/\\s]+:[0-9]+)$", target))])
    error_message = "targets has ${length(var.targets) == 0 ? "nothing" : join(", ", [for name, target in var.targets : "${name}: \"${target}\"" if !can(regex("^(https?://[^\\s]+|(tcp|tls)://[^/\\s]+:[0-9]+)$", target))])}; write for example {shop = \"https://shop.example.com/health\", ldap = \"tls://ldap.example.com:636\"}."
  }
}

variable "timeout" {
  description = "How long a target may take to answer."
  type        = string
  default     = "5s"
  nullable    = false
}

variable "verify_certificates" {
  description = "Whether a certificate that is not trusted makes a tls:// probe fail. https:// ones always fail then."
  type        = bool
  default     = true
  nullable    = false
}
