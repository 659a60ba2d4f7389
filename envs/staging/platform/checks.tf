# A warning and not an error: alerting works without it, only the links lead nowhere.
check "links_lead_to_the_console" {
  assert {
    condition     = var.console_url != null
    error_message = "console_url is not set, so links in messages lead to 127.0.0.1; set it to the address people use, for example \"https://monitoring.example.com\"."
  }
}

# An error: without it no one would be notified that the relay is down, since only the relay could report it.
resource "terraform_data" "about_delivery" {
  lifecycle {
    precondition {
      condition     = module.platform.stack.alerting != "prometheus" || length(try(var.notification.about_delivery, {})) > 0
      error_message = "notification.about_delivery is not set: no one would be notified that the relay is down, since only the relay could report it. Set TF_VAR_notification to {about_delivery = {robot_file = \"watch.url\"}} (a file in secrets_directory), {about_delivery = {webhook = \"https://sms.example.com/alert\"}}, or {about_delivery = {email = [\"oncall@example.com\"]}, email = {smarthost = …, from = …}}."
    }
  }
}
