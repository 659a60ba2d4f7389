variable "sample_image" {
  description = "Image with a JDK, in which a small program is run to try things on; null: none."
  type        = string
  default     = null
}

variable "targets" {
  description = "Programs whose JMX exporter (the agent, or the metrics library of client_java) answers, by the value of the label instance: host:port."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(var.targets) > 0 || var.sample_image != null
    error_message = "targets is empty and sample_image is null, so that there is nothing to scrape; give targets, for example {orders1 = \"orders.example.com:9404\"}."
  }
}
