mock_provider "grafana" {}

run "the_dashboard_is_in_a_folder_of_its_own" {
  command = plan

  assert {
    condition     = keys(output.dashboards) == ["orders"]
    error_message = "dashboards are ${jsonencode(keys(output.dashboards))}"
  }
}
