# Grafana calls the receiver "DingDing"; everywhere else the product is DingTalk.

locals {
  contact_point = { for robot in var.robots : robot => "lookout-${var.environment}-${robot}" }
  # Both relays of a pair get everything, by one contact point: what Grafana sends to the two is the same.
  relay_urls    = [for url in compact([var.relay_url, var.second_relay_url]) : trimsuffix(url, "/")]
  default_robot = coalesce(var.default_robot, sort(tolist(var.robots))[0])
}

# Bypasses the relay: what reports that it is down must not depend on it.
resource "grafana_contact_point" "about_delivery" {
  count = var.about_delivery == null ? 0 : 1

  name = "lookout-${var.environment}-about-delivery"

  dynamic "dingding" {
    for_each = var.about_delivery.robot[*]

    content {
      url          = var.webhooks[dingding.value]
      message_type = "actionCard"
      title        = local.templates.title
      message      = local.templates.body
    }
  }

  dynamic "email" {
    for_each = length(var.about_delivery.email) == 0 ? [] : [var.about_delivery.email]

    content {
      addresses    = email.value
      single_email = true
      subject      = local.templates.title
      message      = local.templates.body
    }
  }

  dynamic "webhook" {
    for_each = var.about_delivery.webhook[*]

    content {
      url         = webhook.value
      http_method = "POST"
    }
  }

  lifecycle {
    # As below.
    create_before_destroy = true

    precondition {
      condition     = var.about_delivery.robot == null ? true : contains(nonsensitive(keys(var.webhooks)), var.about_delivery.robot)
      error_message = "about_delivery.robot is \"${coalesce(var.about_delivery.robot, "null")}\", of which webhooks has no address; add it there."
    }
  }
}

# Not a robot: what always fires must not reach people, and a missing one is reported by the relay.
resource "grafana_contact_point" "heartbeat" {
  for_each = toset(var.heartbeat[*].name)

  name = "lookout-${var.environment}-heartbeat-${each.key}"

  dynamic "webhook" {
    for_each = local.relay_urls

    content {
      url         = "${webhook.value}/v1/heartbeats/${each.key}"
      http_method = "POST"
      # The end of an alert that always fires is the relay's to notice, and not a sign of life.
      disable_resolve_message = true
    }
  }

  lifecycle {
    # Grafana refuses to delete what the policy still names; this way the policy is changed first.
    create_before_destroy = true
  }
}

resource "grafana_contact_point" "robot" {
  for_each = var.robots

  name = local.contact_point[each.key]

  dynamic "dingding" {
    for_each = var.delivery == "native" ? [each.key] : []

    content {
      url = var.webhooks[dingding.value]
      # A "link" message would swallow the links in the text.
      message_type = "actionCard"
      title        = local.templates.title
      message      = local.templates.body
    }
  }

  dynamic "webhook" {
    for_each = var.delivery == "relay" ? local.relay_urls : []

    content {
      url         = "${webhook.value}/v1/robots/${each.key}"
      http_method = "POST"
    }
  }

  dynamic "email" {
    for_each = length(var.email) == 0 ? [] : [var.email]

    content {
      addresses    = email.value
      single_email = true
      subject      = local.templates.title
      message      = local.templates.body
    }
  }

  lifecycle {
    # As above: a robot that is taken away is still named by the policy until that is changed.
    create_before_destroy = true

    precondition {
      condition     = length(local.without_keyword) == 0
      error_message = "The message template ${join(" and ", local.without_keyword)} would lose the keyword ${var.keyword}, and DingTalk the message: write $${keyword} at its beginning, before the first {{."
    }
  }
}
