# The stack that stood in this folder itself before stacks/platform was made of it: what runs stays what it is.

moved {
  from = docker_network.lookout
  to   = module.platform.docker_network.lookout
}

moved {
  from = module.exporter
  to   = module.platform.module.exporter[0]
}

moved {
  from = module.grafana
  to   = module.platform.module.grafana[0]
}

moved {
  from = module.prometheus
  to   = module.platform.module.prometheus
}

moved {
  from = module.relay
  to   = module.platform.module.relay
}

moved {
  from = module.robot
  to   = module.platform.module.robot[0]
}

moved {
  from = terraform_data.free_port
  to   = module.platform.terraform_data.free_port
}
