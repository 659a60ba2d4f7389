variable "address" {
  description = "Address of the server as the exporter sees it, for example \"postgres.example.com:5432\"; null: the sample of sample_image."
  type        = string
  default     = null

  validation {
    condition     = (var.address == null) != (var.sample_image == null)
    error_message = "address is ${coalesce(var.address, "null")} and sample_image is ${coalesce(var.sample_image, "null")}; give the address of your server, or the image of a sample to try things on, not both."
  }

  validation {
    condition     = var.address == null || can(regex("^[^/\\s]+:[0-9]+$", var.address))
    error_message = "address is \"${coalesce(var.address, "null")}\"; give host:port, for example \"postgres.example.com:5432\"."
  }
}

variable "image" {
  description = "Image of the exporter."
  type        = string
  default     = "quay.io/prometheuscommunity/postgres-exporter:v0.19.1"
  nullable    = false
}

variable "instance" {
  description = "Value of the label instance."
  type        = string
  default     = "postgres1"
  nullable    = false
}

variable "sample_image" {
  description = "Image of a small server to try things on, which is run next to the exporter; null: none."
  type        = string
  default     = null
}

variable "secrets_directory" {
  description = "Directory of the Docker host with the file password, mounted read-only. Uid 65534 must be able to read it. Nothing of it is ever in Terraform's state."
  type        = string
  default     = null
}

variable "ssl_mode" {
  description = "How the connection is protected, as PostgreSQL names it: disable, require, verify-ca, verify-full. Null: verify-full, and disable for the sample."
  type        = string
  default     = null
}

variable "user" {
  description = "Name of the role that the exporter is."
  type        = string
  default     = "lookout"
  nullable    = false
}
