output "prometheus" {
  description = "What the next stages need: the datasource's name, type and uid. The uid comes from the resource, so that whatever uses it waits for the datasource."
  value = {
    name = grafana_data_source.prometheus.name
    type = grafana_data_source.prometheus.type
    uid  = grafana_data_source.prometheus.uid
  }
}
