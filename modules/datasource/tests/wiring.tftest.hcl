mock_provider "grafana" {}

variables {
  url  = "https://prometheus.example.com/eu"
  uid  = "eu"
  name = "Prometheus EU"
}

run "the_next_stage_gets_name_type_and_uid" {
  command = apply

  assert {
    condition     = output.prometheus == { name = "Prometheus EU", type = "prometheus", uid = "eu" }
    error_message = "the hand-off is ${jsonencode(output.prometheus)}"
  }
}
