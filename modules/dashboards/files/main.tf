# What is in the directory, worked out once, and what is wrong with it: every local here is a plain map that the rest looks
# things up in. No resource is here, and everything that is made from the files takes the output, so nothing is planned where
# something is wrong.
#
# Nothing decodes all dashboards unless there are few. Terraform's jsondecode costs about 13 ms per 20 kB dashboard,
# which for a thousand of them would be more than all the rest of a plan (measured; see README, "Many dashboards").

locals {
  directory = trimsuffix(var.path, "/")
  # The directory as messages name it: seen from the repository, not from the root module.
  shown = replace(local.directory, "/^([.]{1,2}/)+/", "")

  # "go/service.json"; deeper or shallower files are findings, not dashboards, except the lock file of imports.
  all_files = sort(fileset(local.directory, "**/*.json"))
  files     = [for file in local.all_files : file if length(split("/", file)) == 2]
  strays    = [for file in local.all_files : file if length(split("/", file)) != 2 && file != "lock.json"]

  # Read once: Terraform brings every text that it reads into a normal form, which takes longer than reading.
  texts = { for file in local.files : file => try(file("${local.directory}/${file}"), "") }

  folders = {
    for name in distinct([for file in local.files : dirname(file)]) : name => {
      title = lookup(var.folder_titles, name, title(replace(name, "-", " ")))
      uid   = "${var.folder_uid_prefix}${name}"
    }
  }

  uids       = { for file in local.files : trimsuffix(basename(file), ".json") => file... }
  duplicates = { for uid, files in local.uids : uid => files if length(files) > 1 }

  # The one expensive look, taken while it is affordable. Beyond the limit the provider still refuses what isn't JSON,
  # naming the folder and the dashboard in the resource's address. (A conditional around it would not spare anything:
  # both of its sides are computed.)
  decodable = length(local.files) > var.decode_limit ? [] : local.files
  invalid   = [for file in local.decodable : file if !can(keys(jsondecode(local.texts[file])))]

  # In canonical form (`lookout fmt`) the dashboard's own keys are the only ones indented by two spaces, so they can be read
  # without decoding; any other form is decoded, and so is a resource, whose title and settings are further inside.
  tops = {
    for file in local.files : file => {
      for match in regexall("(?m)^  \"(title|uid|refresh|apiVersion)\": \"(.*)\",?$", local.texts[file]) :
      match[0] => try(jsondecode("\"${match[1]}\""), match[1])...
    } if !contains(local.invalid, file)
  }
  decoded = {
    for file, top in local.tops : file => try(jsondecode(local.texts[file]), {})
    if !can([top.title[0], top.uid[0]]) || can(top.apiVersion)
  }

  # "classic", "v1" (a resource whose spec is classic), "v2", or what it is instead.
  forms = {
    for file, _ in local.tops : file => (
      !contains(keys(local.decoded), file) ? "classic" :
      startswith(try(local.decoded[file].apiVersion, ""), "dashboard.grafana.app/") && can(keys(local.decoded[file].spec)) ? (
        can(local.decoded[file].spec.elements) || startswith(local.decoded[file].apiVersion, "dashboard.grafana.app/v2") ? "v2" : "v1"
      ) :
      can(local.decoded[file].apiVersion) ? "resource" :
      can(local.decoded[file].elements) && can(local.decoded[file].layout.kind) ? "spec" :
      can(keys(local.decoded[file].dashboard)) && !can(local.decoded[file].panels) ? "export" :
      "classic"
    )
  }

  # The dashboard itself, of those that are decoded.
  bodies = {
    for file, content in local.decoded : file => jsondecode(contains(["v1", "v2"], local.forms[file]) ? jsonencode(content.spec) : jsonencode(content))
  }
  titles    = { for file, top in local.tops : file => try(tostring(local.bodies[file].title), top.title[0], "") }
  own_uids  = { for file, top in local.tops : file => try(tostring(local.decoded[file].metadata.name), tostring(local.decoded[file].uid), top.uid[0], "") }
  refreshes = { for file, top in local.tops : file => try(tostring(local.bodies[file].refresh), tostring(local.bodies[file].timeSettings.autoRefresh), top.refresh[0], "") }

  # Both sides of an && are computed, and the exact look is a slow one.
  maybe_nul = [for file in local.files : file if strcontains(local.texts[file], "\\u0000")]

  seconds_in = { ms = 0.001, s = 1, m = 60, h = 3600, d = 86400, w = 604800, y = 31536000 }
  seconds = {
    for text in distinct(concat([var.min_refresh_interval], values(local.refreshes))) : text => sum([
      for part in regexall("([0-9]+)(ms|s|m|h|d|w|y)", text) : part[0] * local.seconds_in[part[1]]
    ]) if can(regex("^([0-9]+(ms|s|m|h|d|w|y))+$", text))
  }

  # What this Grafana can do, as one comparable number: 11.5.2 is 11005002.
  grafana = sum([for index, part in regexall("[0-9]+", var.grafana_version) : part * [1000000, 1000, 1][index] if index < 3])

  # Folders that are not made from this directory are there as well. Grafana compares titles in any case of letters.
  folder_titles = merge(
    { for uid, title in var.other_folders : "the folder \"${title}\" (${uid})" => { title = lower(title), uid = uid } },
    { for name, folder in local.folders : "the folder ${local.shown}/${name}" => { title = lower(folder.title), uid = folder.uid } },
  )
  titled = { for name, folder in local.folder_titles : folder.title => name... }
  known  = { for name, folder in local.folder_titles : folder.uid => name... }

  twice_titled = {
    for key, files in {
      for file, title in local.titles : "${dirname(file)}/${lower(title)}" => file...
    } : key => files if length(files) > 1
  }
}

locals {
  wrong_files = concat(
    [for file in local.strays : "${local.shown}/${file} is not in a folder: dashboards live in ${local.shown}/<folder>/<uid>.json"],
    [for file in local.invalid : "${local.shown}/${file} is not a JSON object; `lookout fmt --check ${local.shown}/${file}` names the line"],
    [for file, form in local.forms : "${local.shown}/${file} is a resource of ${local.decoded[file].apiVersion}, not a dashboard" if form == "resource"],
    [for file, form in local.forms : "${local.shown}/${file} is the bare spec of schema V2, which Grafana takes only inside its resource (apiVersion, kind, metadata, spec)" if form == "spec"],
    [for file, form in local.forms : "${local.shown}/${file} is an answer of Grafana's API; keep what is in its field \"dashboard\"" if form == "export"],
    [for file, form in local.forms : "${local.shown}/${file} is saved as schema V2, which Grafana reads from version 13 on, and this one is ${var.grafana_version}: save it as classic (`lookout convert --to classic`), or raise grafana_version" if form == "v2" && local.grafana < 13000000],
    [for file, form in local.forms : "${local.shown}/${file} is saved as schema V2, on which the provider grafana/grafana 4.25 crashes: save it as classic (`lookout convert --to classic`), or use a provider that reads it and set schema_v2" if form == "v2" && local.grafana >= 13000000 && !var.schema_v2],
    [for file in local.maybe_nul : "${local.shown}/${file} has the character U+0000 in a text, which Grafana refuses: remove \\u0000" if can(regex("(^|[^\\\\])(\\\\\\\\)*\\\\u0000", local.texts[file]))],
  )

  # Of the others: what is reported above would only be reported again in other words.
  sound = { for file, form in local.forms : file => form if contains(["classic", "v1", "v2"], form) }

  wrong_names = concat(
    [for uid, files in local.duplicates : "the uid ${uid} is used by ${join(" and ", [for file in files : "${local.shown}/${file}"])}: rename one of the files and the uid in it"],
    [for file, _ in local.sound : "${local.shown}/${file} has the uid \"${local.own_uids[file]}\": file name and uid must be the same" if local.own_uids[file] != trimsuffix(basename(file), ".json")],
    [for uid, _ in local.uids : "${uid}.json: a uid has 1 to 40 letters, digits, '-' and '_'" if !can(regex("^[a-zA-Z0-9_-]{1,40}$", uid))],
    [for uid, files in local.uids : "${local.shown}/${files[0]} has the uid of ${local.known[uid][0]}, which Grafana refuses: rename the dashboard" if contains(keys(local.known), uid)],
    [for file, _ in local.sound : "${local.shown}/${file} has no title" if trimspace(local.titles[file]) == ""],
    [for file, _ in local.sound : "${local.shown}/${file} has blanks around its title ${jsonencode(local.titles[file])}, which Grafana cuts off: write ${jsonencode(trimspace(local.titles[file]))}" if local.titles[file] != trimspace(local.titles[file]) && trimspace(local.titles[file]) != ""],
    [for file, _ in local.sound : "${local.shown}/${file} has the title \"${local.titles[file]}\" of ${local.titled[lower(local.titles[file])][0]}, which Grafana refuses: rename the dashboard, or the folder by folder_titles" if contains(keys(local.titled), lower(local.titles[file]))],
    [for files in local.twice_titled : "${join(" and ", [for file in files : "${local.shown}/${file}"])} have the same title \"${local.titles[files[0]]}\", which Grafana refuses within a folder" if trimspace(local.titles[files[0]]) != ""],
    [for file, _ in local.sound : "${local.shown}/${file} refreshes every ${local.refreshes[file]}, which Grafana raises to ${var.min_refresh_interval}: write at least that" if try(local.seconds[local.refreshes[file]] < local.seconds[var.min_refresh_interval], false)],
  )

  wrong_folders = concat(
    [for name, folder in local.folders : "folder ${name}: its uid ${folder.uid} has to be 1 to 40 letters, digits, '-' and '_'" if !can(regex("^[a-zA-Z0-9_-]{1,40}$", folder.uid))],
    [for name, folder in local.folders : "folder ${name}: \"${folder.title}\" is ${lower(folder.title) == "general" || folder.uid == "general" ? "the name of Grafana's own folder" : "not a title: it is empty or has blanks around it"}; rename the directory, or give the folder a title by folder_titles" if lower(folder.title) == "general" || folder.uid == "general" || folder.title != trimspace(folder.title) || folder.title == ""],
    [for title, names in local.titled : "${join(" and ", names)} have the same title, which Grafana refuses: give one of them another by folder_titles" if length(names) > 1],
    [for uid, names in local.known : "${join(" and ", names)} have the same uid ${uid}: rename the directory, or set folder_uid_prefix" if length(names) > 1],
    [for name in keys(var.folder_titles) : "folder_titles has \"${name}\", but ${local.shown} has no such directory; known are ${join(", ", keys(local.folders))}" if !contains(keys(local.folders), name)],
  )

  findings = concat(local.wrong_files, local.wrong_names, local.wrong_folders)
}
