# How the container is wired, literally, and that its configuration is what the routes say.

mock_provider "docker" {
  mock_resource "docker_container" {
    defaults = { exit_code = 0 }
  }
}

variables {
  default_target = "ops"
  environment    = { name = "lookout-test", network = { id = "0123456789ab", name = "lookout-test" }, stack = "an-identity" }
  external_url   = "http://127.0.0.1:8090"
  image          = "lookout/alertmanager:test"
  targets        = ["ops", "oncall"]
}

run "it_is_hardened" {
  command = plan

  assert {
    condition     = module.container.container.read_only && module.container.container.user == "65534:65534" && module.container.container.security_opts == toset(["no-new-privileges:true"])
    error_message = "the container is not hardened as the others are"
  }

  assert {
    condition     = one(module.container.container.capabilities).drop == toset(["ALL"]) && module.container.container.memory == module.container.container.memory_swap
    error_message = "it has capabilities, or memory without a limit"
  }

  assert {
    condition     = alltrue([for port in module.container.container.ports : port.ip == "127.0.0.1"]) && output.server.url == "http://127.0.0.1:9093"
    error_message = "it is published beyond loopback"
  }

  assert {
    condition     = { for label in module.container.container.labels : label.label => label.value } == { "lookout.environment" = "lookout-test", "lookout.service" = "alertmanager", "lookout.stack" = "an-identity" }
    error_message = "its labels are ${jsonencode(module.container.container.labels)}"
  }

  assert {
    condition     = one(module.container.container.healthcheck).test == tolist(["CMD", "/bin/probe", "--hold=20s", "http://127.0.0.1:9093/-/healthy"])
    error_message = "an image built here is not asked by its probe"
  }

  assert {
    condition     = contains(module.container.container.command, "--cluster.listen-address=") && contains(module.container.container.command, "--web.external-url=http://127.0.0.1:8090")
    error_message = "gossip is on without peers, or links lead elsewhere: ${jsonencode(module.container.container.command)}"
  }
}

run "a_published_image_is_asked_by_amtool" {
  command = plan

  variables {
    image = "prom/alertmanager:v0.35.0"
  }

  assert {
    condition     = one(module.container.container.healthcheck).test[1] == "/bin/amtool"
    error_message = "the health check is ${jsonencode(module.container.container.healthcheck)}"
  }
}

run "silences_are_on_a_volume_and_the_configuration_is_read_only" {
  command = apply

  variables {
    publish = null
    reload  = "restart"
  }

  assert {
    condition     = { for v in module.container.container.volumes : v.container_path => [v.volume_name, v.read_only] } == { "/alertmanager" = [docker_volume.data.id, false], "/lookout/config" = [module.config.volume, true] }
    error_message = "the volumes are ${jsonencode(module.container.container.volumes)}"
  }
}

run "peers_make_a_cluster" {
  command = plan

  variables {
    cluster = { peers = ["b.example.com:9094"], advertise_address = "10.0.0.1:9094" }
  }

  assert {
    condition     = contains(module.container.container.command, "--cluster.peer=b.example.com:9094") && contains(module.container.container.command, "--cluster.listen-address=0.0.0.0:9094") && contains(module.container.container.command, "--cluster.advertise-address=10.0.0.1:9094")
    error_message = "the command is ${jsonencode(module.container.container.command)}"
  }
}

run "routes_lead_to_the_relays_targets" {
  command = plan

  variables {
    about_delivery = { robot_url = "http://robot:8060/robot/send?access_token=lookout" }
    heartbeat      = { interval = "10s" }
    mute_intervals = { night = [{ times = [{ start = "22:00", end = "24:00" }] }, { times = [{ start = "00:00", end = "08:00" }] }] }
    routes         = [{ labels = { severity = "critical" }, target = "oncall" }, { matchers = ["team=~\"a|b\""], mute_intervals = ["night"], target = "ops" }]
  }

  assert {
    condition     = yamldecode(output.configuration["/lookout/config/alertmanager.yml"]).route.receiver == "target-ops" && yamldecode(output.configuration["/lookout/config/alertmanager.yml"]).route.routes[*].receiver == ["heartbeat", "about-delivery", "target-oncall", "target-ops", "target-ops"]
    error_message = "the routes are ${jsonencode(yamldecode(output.configuration["/lookout/config/alertmanager.yml"]).route)}"
  }

  assert {
    condition     = yamldecode(output.configuration["/lookout/config/alertmanager.yml"]).route.routes[0] == { group_by = ["alertname"], group_interval = "10s", group_wait = "1s", matchers = ["alertname=\"Watchdog\""], receiver = "heartbeat", repeat_interval = "1s" }
    error_message = "the heartbeat's route is ${jsonencode(yamldecode(output.configuration["/lookout/config/alertmanager.yml"]).route.routes[0])}"
  }

  assert {
    condition     = yamldecode(output.configuration["/lookout/config/alertmanager.yml"]).route.routes[3] == { matchers = ["team=~\"a|b\""], mute_time_intervals = ["night"], receiver = "target-ops" }
    error_message = "the muted route is ${jsonencode(yamldecode(output.configuration["/lookout/config/alertmanager.yml"]).route.routes[3])}"
  }

  assert {
    condition     = [for receiver in yamldecode(output.configuration["/lookout/config/alertmanager.yml"]).receivers : receiver.webhook_configs[0].url if receiver.name == "target-oncall"] == ["http://relay:8070/v1/robots/oncall"]
    error_message = "oncall leads elsewhere"
  }

  assert {
    condition     = [for receiver in yamldecode(output.configuration["/lookout/config/alertmanager.yml"]).receivers : receiver.webhook_configs[0].url if receiver.name == "heartbeat"] == ["http://relay:8070/v1/heartbeats/chain"]
    error_message = "the heartbeat leads elsewhere"
  }

  assert {
    condition     = strcontains([for receiver in yamldecode(output.configuration["/lookout/config/alertmanager.yml"]).receivers : receiver.webhook_configs[0].payload.text.content if receiver.name == "about-delivery"][0], "报警")
    error_message = "the robot's message lacks the keyword, and DingTalk would drop it"
  }

  assert {
    condition     = alltrue([for rule in yamldecode(output.configuration["/lookout/config/alertmanager.yml"]).inhibit_rules : contains(rule.target_matchers, "lookout_about!=\"delivery\"")])
    error_message = "alerts about delivery can be held back"
  }

  assert {
    condition     = yamldecode(output.configuration["/lookout/config/alertmanager.yml"]).time_intervals[0].time_intervals[0] == { location = "Asia/Shanghai", times = [{ end_time = "24:00", start_time = "22:00" }] }
    error_message = "the night is ${jsonencode(yamldecode(output.configuration["/lookout/config/alertmanager.yml"]).time_intervals)}"
  }
}

run "without_a_heartbeat_the_watchdog_reaches_no_one" {
  command = plan

  assert {
    condition     = [for receiver in yamldecode(output.configuration["/lookout/config/alertmanager.yml"]).receivers : receiver if receiver.name == "heartbeat"] == [{ name = "heartbeat" }]
    error_message = "the Watchdog would reach people"
  }
}

run "a_relay_that_wants_a_token_gets_it_from_a_file" {
  command = plan

  variables {
    heartbeat         = { interval = "10s" }
    relay_token_file  = "relay.token"
    secrets_directory = "/etc/lookout/alertmanager"
  }

  assert {
    condition     = alltrue([for receiver in yamldecode(output.configuration["/lookout/config/alertmanager.yml"]).receivers : receiver.webhook_configs[0].http_config.authorization.credentials_file == "/lookout/secrets/relay.token"])
    error_message = "the relay would answer 401: ${jsonencode(yamldecode(output.configuration["/lookout/config/alertmanager.yml"]).receivers)}"
  }
}

run "both_relays_of_a_pair_get_everything" {
  command = plan

  variables {
    heartbeat        = { interval = "1m" }
    second_relay_url = "http://relay-2:8070/"
    targets          = ["ops", "oncall"]
  }

  assert {
    condition = toset(flatten([for receiver in yamldecode(output.configuration["/lookout/config/alertmanager.yml"]).receivers : receiver.webhook_configs[*].url])) == toset(flatten([
      for host in ["relay", "relay-2"] : [for path in ["heartbeats/chain", "robots/oncall", "robots/ops"] : "http://${host}:8070/v1/${path}"]
    ]))
    error_message = "the receivers are ${jsonencode(yamldecode(output.configuration["/lookout/config/alertmanager.yml"]).receivers)}"
  }
}
