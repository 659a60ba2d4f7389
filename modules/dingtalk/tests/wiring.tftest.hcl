mock_provider "grafana" {}

variables {
  environment   = "prod"
  robots        = ["oncall", "team"]
  default_robot = "team"
  webhooks = {
    oncall = "https://oapi.dingtalk.com/robot/send?access_token=0123abcd"
    team   = "https://oapi.dingtalk.com/robot/send?access_token=4567efab"
  }
  routes = [{ labels = { severity = "critical" }, robot = "oncall" }]
}

run "every_robot_is_a_contact_point_with_links_that_work" {
  command = apply

  assert {
    condition     = output.contact_points == { oncall = "lookout-prod-oncall", team = "lookout-prod-team" }
    error_message = "contact points are ${jsonencode(output.contact_points)}"
  }

  assert {
    condition     = alltrue([for point in values(grafana_contact_point.robot) : one(point.dingding).message_type == "actionCard"])
    error_message = "a link message swallows the links in its text"
  }

  assert {
    condition     = one(grafana_contact_point.robot["oncall"].dingding).url == "https://oapi.dingtalk.com/robot/send?access_token=0123abcd"
    error_message = "a robot has another's webhook"
  }

  assert {
    condition     = length(grafana_contact_point.robot["oncall"].email) == 0
    error_message = "no one asked for e-mail"
  }
}

run "alerts_are_routed_by_lookouts_own_label_and_critical_ones_to_the_robot_on_call" {
  command = apply

  assert {
    condition     = one(grafana_notification_policy.tree[0].policy[0].matcher) == { label = "lookout_env", match = "=", value = "prod" }
    error_message = "the matcher is ${jsonencode(grafana_notification_policy.tree[0].policy[0].matcher)}"
  }

  assert {
    condition     = grafana_notification_policy.tree[0].contact_point == "lookout-prod-team" && grafana_notification_policy.tree[0].policy[0].contact_point == "lookout-prod-team"
    error_message = "the default robot is not the one that was named"
  }

  assert {
    condition     = grafana_notification_policy.tree[0].policy[0].policy[0].contact_point == "lookout-prod-oncall" && one(grafana_notification_policy.tree[0].policy[0].policy[0].matcher).value == "critical"
    error_message = "the route does not reach the robot on call"
  }
}

run "the_relay_gets_the_webhooks_place_and_no_token_is_in_state" {
  command = apply

  variables {
    delivery = "relay"
    webhooks = {}
  }

  assert {
    condition     = one(grafana_contact_point.robot["oncall"].webhook).url == "http://relay:8070/v1/robots/oncall" && length(grafana_contact_point.robot["oncall"].dingding) == 0
    error_message = "the contact point is not the relay's"
  }
}

run "mail_goes_beside_the_message" {
  command = apply

  variables {
    email = ["oncall@example.com", "boss@example.com"]
  }

  assert {
    condition     = alltrue([for point in values(grafana_contact_point.robot) : one(point.email).addresses == tolist(["oncall@example.com", "boss@example.com"])])
    error_message = "a contact point has no mail"
  }
}

run "somebody_elses_policy_is_left_alone" {
  command = apply

  variables {
    own_policy = false
  }

  assert {
    condition     = length(grafana_notification_policy.tree) == 0
    error_message = "the policy would be overwritten"
  }
}

run "the_heartbeat_goes_to_the_relay_and_to_nobody_else" {
  command = apply

  variables {
    delivery  = "relay"
    webhooks  = {}
    heartbeat = { interval = "60s" }
  }

  assert {
    condition     = one(grafana_contact_point.heartbeat["chain"].webhook).url == "http://relay:8070/v1/heartbeats/chain" && one(grafana_contact_point.heartbeat["chain"].webhook).disable_resolve_message
    error_message = "the contact point is not the relay's for heartbeats, or its end would count as a sign of life"
  }

  # The first that fits wins, so it stands before every route of the user's.
  assert {
    condition     = grafana_notification_policy.tree[0].policy[0].policy[0].contact_point == "lookout-prod-heartbeat-chain" && one(grafana_notification_policy.tree[0].policy[0].policy[0].matcher) == { label = "alertname", match = "=", value = "Watchdog" }
    error_message = "the first route is ${jsonencode(grafana_notification_policy.tree[0].policy[0].policy[0])}"
  }

  assert {
    condition     = grafana_notification_policy.tree[0].policy[0].policy[0].group_interval == "1m" && grafana_notification_policy.tree[0].policy[0].policy[0].repeat_interval == "1s" && grafana_notification_policy.tree[0].policy[0].policy[0].continue != true
    error_message = "it is not sent every minute, or to others as well"
  }

  assert {
    condition     = grafana_notification_policy.tree[0].policy[0].policy[1].contact_point == "lookout-prod-oncall"
    error_message = "the user's route is gone"
  }

  assert {
    condition     = output.timing == { group_interval = 300, group_wait = 30, repeat_interval = 14400 }
    error_message = "timing is ${jsonencode(output.timing)}"
  }
}

run "alerts_about_delivery_go_beside_the_relay_and_by_it" {
  command = apply

  variables {
    delivery       = "relay"
    webhooks       = { watch = "https://oapi.dingtalk.com/robot/send?access_token=89abcdef" }
    about_delivery = { email = ["oncall@example.com"], robot = "watch", webhook = "https://sms.example.com/alert" }
    heartbeat      = {}
  }

  assert {
    condition     = one(one(grafana_contact_point.about_delivery).dingding).url == "https://oapi.dingtalk.com/robot/send?access_token=89abcdef" && one(one(grafana_contact_point.about_delivery).webhook).url == "https://sms.example.com/alert" && one(one(grafana_contact_point.about_delivery).email).addresses == tolist(["oncall@example.com"])
    error_message = "the contact point is ${nonsensitive(jsonencode(grafana_contact_point.about_delivery))}"
  }

  # Heartbeat, the path that bypasses the relay, the user's routes, and the relay for what none of those took.
  assert {
    condition     = [for policy in grafana_notification_policy.tree[0].policy[0].policy : policy.contact_point] == ["lookout-prod-heartbeat-chain", "lookout-prod-about-delivery", "lookout-prod-oncall", "lookout-prod-team"]
    error_message = "the policies are ${jsonencode(grafana_notification_policy.tree[0].policy[0].policy)}"
  }

  assert {
    condition     = grafana_notification_policy.tree[0].policy[0].policy[1].continue && alltrue([for i in [1, 3] : one(grafana_notification_policy.tree[0].policy[0].policy[i].matcher) == { label = "lookout_about", match = "=", value = "delivery" }])
    error_message = "the policies are ${jsonencode(grafana_notification_policy.tree[0].policy[0].policy)}"
  }

  assert {
    condition     = length(one(grafana_contact_point.robot["oncall"].webhook).url) > 0 && length(grafana_contact_point.robot) == 2
    error_message = "the robot that bypasses the relay became one of the others"
  }
}

run "without_a_way_beside_the_relay_there_is_no_route_to_it" {
  command = apply

  assert {
    condition     = length(grafana_contact_point.about_delivery) == 0 && length(grafana_notification_policy.tree[0].policy[0].policy) == 1 && output.about_delivery == null
    error_message = "the policies are ${jsonencode(grafana_notification_policy.tree[0].policy[0].policy)}"
  }
}

run "both_relays_of_a_pair_get_everything" {
  command = plan

  variables {
    delivery         = "relay"
    heartbeat        = { name = "chain" }
    second_relay_url = "http://relay-2:8070/"
    webhooks         = {}
  }

  assert {
    condition     = toset(grafana_contact_point.robot["oncall"].webhook[*].url) == toset(["http://relay:8070/v1/robots/oncall", "http://relay-2:8070/v1/robots/oncall"])
    error_message = "alerts do not go to both relays"
  }

  assert {
    condition     = toset(grafana_contact_point.heartbeat["chain"].webhook[*].url) == toset(["http://relay:8070/v1/heartbeats/chain", "http://relay-2:8070/v1/heartbeats/chain"])
    error_message = "heartbeats do not go to both relays"
  }
}
