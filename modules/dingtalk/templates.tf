# The texts stand in the contact points themselves instead of in a grafana_message_template: the provider can't read
# Grafana's answer that a template is gone, so a Grafana that lost its data could not be repaired by an apply.
#
# They use the functions that every Grafana since 9 has. "tz" and "date" are newer, so times are formatted in the zone
# of the Grafana server (TZ).

locals {
  template_files = {
    title = coalesce(var.templates.title, "${path.module}/templates/title.tmpl")
    body  = coalesce(var.templates.body, "${path.module}/templates/body.tmpl")
  }

  templates = {
    for name, file in local.template_files : name => fileexists(file) ? trimspace(templatefile(file, { keyword = var.keyword })) : ""
  }

  # What comes before the first action. When an action fails at run time, Grafana sends what it has got so far, so this is
  # the only text that is sent whatever happens.
  beginnings = { for name, text in local.templates : name => split("{{", text)[0] }

  without_keyword = [for name, text in local.beginnings : local.template_files[name] if !strcontains(text, var.keyword)]
}
