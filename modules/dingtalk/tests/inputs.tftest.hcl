mock_provider "grafana" {}

variables {
  environment = "prod"
  robots      = ["oncall", "team"]
  webhooks = {
    oncall = "https://oapi.dingtalk.com/robot/send?access_token=0123abcd"
    team   = "https://oapi.dingtalk.com/robot/send?access_token=4567efab"
  }
  rules = {
    GoThreadsHigh = { file = "alerts/go.yaml", summary = "【报警】线程 Threads" }
  }
}

run "title_and_body_begin_with_the_keyword" {
  command = plan

  assert {
    condition     = alltrue([for text in values(local.templates) : strcontains(split("{{", text)[0], "报警")])
    error_message = "they begin with ${jsonencode(local.beginnings)}"
  }

  # Every other place that stands in for a missing summary, or for one that would claim too much, has it as well.
  assert {
    condition     = length(regexall("【报警】", local.templates.body)) == 3
    error_message = "the body has the keyword ${length(regexall("【报警】", local.templates.body))} times"
  }
}

run "templates_use_only_functions_that_every_grafana_knows" {
  command = plan

  assert {
    condition     = length(regexall("\\b(tz|date|humanize\\w*|tojson|coll[.]|sub|add)\\b +[.$\"(]", join("", values(local.templates)))) == 0
    error_message = "a newer function would break Grafana 10"
  }
}

run "another_keyword_reaches_the_texts" {
  command = plan

  variables {
    keyword = "监控"
    rules   = {}
  }

  assert {
    condition     = alltrue([for text in values(local.templates) : strcontains(split("{{", text)[0], "监控") && !strcontains(text, "报警")])
    error_message = "they begin with ${jsonencode(local.beginnings)}"
  }
}

run "an_own_template_is_used" {
  command = plan

  variables {
    templates = { title = "./tests/fixtures/own.tmpl" }
  }

  assert {
    condition     = local.templates.title == "报警: {{ .Status }}"
    error_message = "the title is ${local.templates.title}"
  }
}

run "a_template_with_the_keyword_only_inside_an_action_is_refused" {
  command = plan

  variables {
    templates = { title = "./tests/fixtures/keyword-in-action.tmpl" }
  }

  assert {
    condition     = local.without_keyword == ["./tests/fixtures/keyword-in-action.tmpl"]
    error_message = "it names ${jsonencode(local.without_keyword)}"
  }

  expect_failures = [grafana_contact_point.robot]
}

run "a_template_with_the_keyword_only_in_a_comment_is_refused" {
  command = plan

  variables {
    templates = { body = "./tests/fixtures/keyword-in-comment.tmpl" }
  }

  expect_failures = [grafana_contact_point.robot]
}

run "a_template_with_the_keyword_behind_the_first_action_is_refused" {
  command = plan

  variables {
    templates = { body = "./tests/fixtures/keyword-too-late.tmpl" }
  }

  expect_failures = [grafana_contact_point.robot]
}

run "a_template_that_is_no_file_is_refused" {
  command = plan

  variables {
    templates = { body = "./tests/fixtures/nowhere.tmpl" }
  }

  expect_failures = [var.templates]
}

run "a_rule_whose_summary_lacks_the_keyword_is_refused" {
  command = plan

  variables {
    rules = {
      GoThreadsHigh = { file = "alerts/go.yaml", summary = "Too many threads" }
    }
  }

  expect_failures = [var.rules]
}

run "a_webhook_without_https_is_refused" {
  command = plan

  variables {
    webhooks = {
      oncall = "http://oapi.dingtalk.com/robot/send?access_token=0123abcd"
      team   = "https://oapi.dingtalk.com/robot/send?access_token=4567efab"
    }
  }

  expect_failures = [var.webhooks]
}

run "a_webhook_without_its_token_is_refused" {
  command = plan

  variables {
    webhooks = {
      oncall = "https://oapi.dingtalk.com/robot/send"
      team   = "https://oapi.dingtalk.com/robot/send?access_token="
    }
  }

  expect_failures = [var.webhooks]
}

run "a_webhook_with_a_space_in_it_is_refused" {
  command = plan

  variables {
    webhooks = {
      oncall = "https://oapi.dingtalk.com/robot/send?access_token=01 23"
      team   = "https://oapi.dingtalk.com/robot/send?access_token=4567efab"
    }
  }

  expect_failures = [var.webhooks]
}

run "a_host_of_the_network_may_go_without_https_if_it_is_named" {
  command = plan

  variables {
    robots           = ["ops"]
    webhooks         = { ops = "http://robot:8060/robot/send?access_token=local" }
    plain_http_hosts = ["robot"]
  }
}

run "a_host_that_only_begins_like_a_named_one_is_refused" {
  command = plan

  variables {
    robots           = ["ops"]
    webhooks         = { ops = "http://robot.example.com/robot/send?access_token=local" }
    plain_http_hosts = ["robot"]
  }

  expect_failures = [var.webhooks]
}

run "native_delivery_needs_a_webhook_for_each_robot" {
  command = plan

  variables {
    robots = ["oncall", "team", "night"]
  }

  expect_failures = [var.webhooks]
}

run "a_webhook_of_an_unknown_robot_is_refused" {
  command = plan

  variables {
    robots = ["oncall"]
  }

  expect_failures = [var.webhooks]
}

run "a_waiting_time_of_zero_is_refused" {
  command = plan

  variables {
    timing = { group_interval = "0s" }
  }

  expect_failures = [var.timing]
}

run "a_waiting_time_without_a_unit_is_refused" {
  command = plan

  variables {
    timing = { group_wait = "30" }
  }

  expect_failures = [var.timing]
}

run "waiting_times_are_spelled_the_way_grafana_answers_them" {
  command = plan

  variables {
    timing = { group_wait = "90s", group_interval = "60m", repeat_interval = "24h" }
  }

  assert {
    condition     = local.timing == { group_wait = "1m30s", group_interval = "1h", repeat_interval = "1d" }
    error_message = "they are ${jsonencode(local.timing)}"
  }
}

run "weeks_and_mixed_spellings_as_well" {
  command = plan

  variables {
    timing = { group_wait = "1s", group_interval = "1h90s", repeat_interval = "14d" }
  }

  assert {
    condition     = local.timing == { group_wait = "1s", group_interval = "1h1m30s", repeat_interval = "2w" }
    error_message = "they are ${jsonencode(local.timing)}"
  }
}

run "a_route_to_an_unknown_robot_is_refused" {
  command = plan

  variables {
    routes = [{ labels = { severity = "critical" }, robot = "nobody" }]
  }

  expect_failures = [var.routes]
}

run "a_route_that_catches_everything_is_refused" {
  command = plan

  variables {
    routes = [{ labels = {}, robot = "oncall" }]
  }

  expect_failures = [var.routes]
}

run "an_unknown_default_robot_is_refused" {
  command = plan

  variables {
    default_robot = "nobody"
  }

  expect_failures = [var.default_robot]
}

run "an_unknown_delivery_is_refused" {
  command = plan

  variables {
    delivery = "pigeon"
  }

  expect_failures = [var.delivery]
}

run "an_address_that_is_no_mail_address_is_refused" {
  command = plan

  variables {
    email = ["oncall"]
  }

  expect_failures = [var.email]
}

# As Prometheus writes them: whole weeks and years as such, the rest from days down.
run "durations_beyond_a_day_are_written_as_grafana_answers_them" {
  command = plan

  variables {
    timing = { group_wait = "36h", group_interval = "100h", repeat_interval = "365d" }
  }

  assert {
    condition     = local.timing == { group_wait = "1d12h", group_interval = "4d4h", repeat_interval = "1y" }
    error_message = "they are ${jsonencode(local.timing)}"
  }
}

run "durations_that_are_neither_weeks_nor_years_stay_days" {
  command = plan

  variables {
    timing = { group_wait = "86401s", group_interval = "372d", repeat_interval = "104w" }
  }

  assert {
    condition     = local.timing == { group_wait = "1d1s", group_interval = "372d", repeat_interval = "104w" }
    error_message = "they are ${jsonencode(local.timing)}"
  }
}

run "the_heartbeats_interval_is_written_so_too" {
  command = plan

  variables {
    delivery  = "relay"
    heartbeat = { interval = "36h" }
  }

  assert {
    condition     = local.timing.heartbeat == "1d12h"
    error_message = "it is ${local.timing.heartbeat}"
  }
}

run "a_fraction_of_a_second_is_refused" {
  command = plan

  variables {
    timing = { group_wait = "1500ms" }
  }

  expect_failures = [var.timing]
}

run "a_heartbeat_without_a_relay_is_refused" {
  command = plan

  variables {
    heartbeat = {}
  }

  expect_failures = [var.heartbeat]
}

run "a_heartbeat_that_never_beats_is_refused" {
  command = plan

  variables {
    delivery  = "relay"
    webhooks  = {}
    heartbeat = { interval = "0s" }
  }

  expect_failures = [var.heartbeat]
}

run "a_heartbeat_whose_name_the_relay_would_refuse_is_refused" {
  command = plan

  variables {
    delivery  = "relay"
    webhooks  = {}
    heartbeat = { name = "The Chain" }
  }

  expect_failures = [var.heartbeat]
}

run "a_way_beside_the_relay_that_leads_nowhere_is_refused" {
  command = plan

  variables {
    about_delivery = {}
  }

  expect_failures = [var.about_delivery]
}

run "a_robot_beside_the_relay_needs_its_address" {
  command = plan

  variables {
    about_delivery = { robot = "watch" }
  }

  expect_failures = [grafana_contact_point.about_delivery]
}

run "a_wrong_mail_address_beside_the_relay_is_refused" {
  command = plan

  variables {
    about_delivery = { email = ["oncall"] }
  }

  expect_failures = [var.about_delivery]
}

run "a_gateway_whose_address_travels_in_clear_is_refused" {
  command = plan

  variables {
    about_delivery = { webhook = "http://sms.example.com/alert" }
  }

  expect_failures = [var.about_delivery]
}

run "a_robots_token_in_an_address_that_everybody_sees_is_refused" {
  command = plan

  variables {
    about_delivery = { webhook = "https://oapi.dingtalk.com/robot/send?access_token=89abcdef" }
  }

  expect_failures = [var.about_delivery]
}

run "one_relay_given_twice_is_refused" {
  command = plan

  variables {
    delivery         = "relay"
    second_relay_url = "http://relay:8070/"
  }

  expect_failures = [var.second_relay_url]
}
