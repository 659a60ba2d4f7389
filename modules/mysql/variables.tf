variable "address" {
  description = "Address of the server as the exporter sees it, for example \"mysql.example.com:3306\"; null: the sample of sample_image."
  type        = string
  default     = null

  validation {
    condition     = (var.address == null) != (var.sample_image == null)
    error_message = "address is ${coalesce(var.address, "null")} and sample_image is ${coalesce(var.sample_image, "null")}; give the address of your server, or the image of a sample to try things on, not both."
  }

  validation {
    condition     = var.address == null || can(regex("^[^/\\s]+:[0-9]+$", var.address))
    error_message = "address is \"${coalesce(var.address, "null")}\"; give host:port, for example \"mysql.example.com:3306\"."
  }
}

variable "image" {
  description = "Image of the exporter."
  type        = string
  default     = "prom/mysqld-exporter:v0.19.0"
  nullable    = false
}

variable "instance" {
  description = "Value of the label instance."
  type        = string
  default     = "mysql1"
  nullable    = false
}

variable "sample_image" {
  description = "Image of a small server to try things on, which is run next to the exporter; null: none."
  type        = string
  default     = null
}

variable "secrets_directory" {
  description = "Directory of the Docker host with my.cnf, whose section [client] holds user and password, mounted read-only. Uid 65534 must be able to read it. Nothing of it is ever in Terraform's state."
  type        = string
  default     = null
}
