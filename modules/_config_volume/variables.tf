variable "binds" {
  description = "Directories of the Docker host that the check has to see, by their path in the container."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "check" {
  description = "Command of the image that exits 0 if the files are right, and how a refusal begins, for example \"promtool refuses the configuration of\". Null checks nothing."
  type = object({
    command = list(string)
    refusal = string
  })
  default = null
}

variable "environment" {
  description = "What all containers of an environment share, as modules/_container takes it; the network is not used."
  type = object({
    name  = string
    stack = optional(string)
  })
  nullable = false
}

variable "files" {
  description = "Content by path below `path`. It is in Terraform's state in clear."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "group_add" {
  description = "Numbers of further groups for the check, for files of the host that only a group may read."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "image_id" {
  description = "Id of the server's image."
  type        = string
  nullable    = false
}

variable "image_volumes" {
  description = "Paths for which the image declares a VOLUME."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "memory_mebibytes" {
  description = "Memory limit of the check in MiB, swap included."
  type        = number
  nullable    = false
}

variable "path" {
  description = "Where the volume is mounted, here and in the server."
  type        = string
  nullable    = false
}

variable "service" {
  description = "Name of the service whose files these are."
  type        = string
  nullable    = false
}

variable "sources" {
  description = "Files of the machine that runs Terraform, by path below `path`: only their hashes are in the state, and a plan doesn't print them. The check does not see them."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "suffix" {
  description = "What the volume is called after environment and service."
  type        = string
  default     = "config"
  nullable    = false
}

variable "user" {
  description = "User of the check as uid:gid, normally the server's."
  type        = string
  default     = "65534:65534"
  nullable    = false
}
