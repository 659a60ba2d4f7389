variable "dashboards" {
  description = "Dashboards of this folder by uid: the file, and its text where that differs from the file's (null: read the file; a thousand texts passed through variables would cost more than planning them)."
  type = map(object({
    file        = string
    replacement = optional(string)
  }))
  nullable = false
}

variable "folder" {
  description = "uid and title of the folder."
  type = object({
    title = string
    uid   = string
  })
  nullable = false
}

variable "keep_foreign" {
  description = "Whether a folder that still holds something once Terraform's own dashboards are deleted stays (Grafana 10.2)."
  type        = bool
  nullable    = false
}

variable "message" {
  description = "Commit message of every saved version; null for none."
  type        = string
  default     = null
}
