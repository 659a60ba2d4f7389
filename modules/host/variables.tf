variable "ignored_filesystems" {
  description = "Types of file systems that are left out, as a regular expression: those without a disk behind them."
  type        = string
  default     = "^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fuse.*|fusectl|hugetlbfs|iso9660|mqueue|nsfs|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|sysfs|tmpfs|tracefs)$"
  nullable    = false
}

variable "ignored_mount_points" {
  description = "Mount points that are left out, as a regular expression: those of containers, and single files."
  type        = string
  default     = "^/(dev|proc|run|sys|etc/.+|var/lib/(docker|containerd)/.+)($|/)"
  nullable    = false
}

variable "image" {
  description = "Image of the exporter."
  type        = string
  default     = "prom/node-exporter:v1.12.1"
  nullable    = false
}

variable "instance" {
  description = "Value of the label instance."
  type        = string
  default     = "host1"
  nullable    = false
}
