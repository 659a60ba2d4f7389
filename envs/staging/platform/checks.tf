# A warning and not an error: alerting works without it, only the links lead nowhere.
check "links_lead_to_grafana" {
  assert {
    condition     = var.root_url != null
    error_message = "root_url is not set, so links in messages lead to 127.0.0.1; set it to the address people use, for example \"https://grafana.example.com/\"."
  }
}
