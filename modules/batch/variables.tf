variable "image" {
  description = "Image of the Pushgateway."
  type        = string
  default     = "prom/pushgateway:v1.11.1"
  nullable    = false
}

variable "instance" {
  description = "Value of the label instance."
  type        = string
  default     = "pushgateway"
  nullable    = false
}

variable "sample_image" {
  description = "Image with /bin/sample, which is run as a batch job to watch; null: none."
  type        = string
  default     = null
}
