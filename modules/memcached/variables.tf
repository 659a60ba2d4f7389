variable "address" {
  description = "Address of the server as the exporter sees it, for example \"memcached.example.com:11211\"; null: the sample of sample_image."
  type        = string
  default     = null

  validation {
    condition     = (var.address == null) != (var.sample_image == null)
    error_message = "address is ${coalesce(var.address, "null")} and sample_image is ${coalesce(var.sample_image, "null")}; give the address of your server, or the image of a sample to try things on, not both."
  }

  validation {
    condition     = var.address == null || can(regex("^[^/\\s]+:[0-9]+$", var.address))
    error_message = "address is \"${coalesce(var.address, "null")}\"; give host:port, for example \"memcached.example.com:11211\"."
  }
}

variable "image" {
  description = "Image of the exporter."
  type        = string
  default     = "prom/memcached-exporter:v0.16.0"
  nullable    = false
}

variable "instance" {
  description = "Value of the label instance."
  type        = string
  default     = "memcached1"
  nullable    = false
}

variable "sample_image" {
  description = "Image of a small server to try things on, which is run next to the exporter; null: none."
  type        = string
  default     = null
}
