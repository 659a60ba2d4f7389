variable "docker_socket" {
  description = "The engine's socket on the host and the numeric group that may use it."
  type = object({
    group_id = number
    path     = optional(string, "/var/run/docker.sock")
  })
  nullable = false

  validation {
    condition     = startswith(var.docker_socket.path, "/")
    error_message = "docker_socket.path is \"${var.docker_socket.path}\"; give the absolute path of the socket, for example \"/var/run/docker.sock\"."
  }
}

variable "image" {
  description = "Image with /bin/discovery. There is no published one; it is built from app/discovery."
  type        = string
  nullable    = false
}

variable "label" {
  description = "What the labels of containers begin with: with \"lookout\" a container is scraped that has lookout.scrape=true, at the port lookout.port (or every port that it exposes), at the path lookout.path, as job lookout.job."
  type        = string
  default     = "lookout"
  nullable    = false
}

variable "network" {
  description = "Name of the Docker network in which containers are looked for: the one of Prometheus."
  type        = string
  nullable    = false
}

variable "refresh_interval" {
  description = "How often containers are looked for, as a Prometheus duration. Short of every pending period of TargetDown, so that a container that ends is forgotten before it is missed."
  type        = string
  default     = "5s"
  nullable    = false
}
