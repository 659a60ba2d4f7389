# What is in the directory, worked out once: every local here is a plain map that the rest looks things up in.
#
# Nothing decodes all dashboards unless there are few. Terraform's jsondecode costs about 13 ms per 20 kB dashboard,
# which for a thousand of them would be more than all the rest of a plan (measured; see README, "Many dashboards").

locals {
  directory = trimsuffix(var.path, "/")
  # The directory as messages name it: seen from the repository, not from the root module.
  shown = replace(local.directory, "/^([.]{1,2}/)+/", "")

  # "go/service.json"; deeper or shallower files are findings, not dashboards, except the book of imports.
  all_files = sort(fileset(local.directory, "**/*.json"))
  files     = [for file in local.all_files : file if length(split("/", file)) == 2]
  strays    = [for file in local.all_files : file if length(split("/", file)) != 2 && file != "lock.json"]

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
  invalid   = [for file in local.decodable : file if !can(keys(jsondecode(file("${local.directory}/${file}"))))]

  # In canonical form (`lookout fmt`) the dashboard's own keys are the only ones indented by two spaces, so title and
  # uid can be read without decoding; any other form is decoded.
  tops = {
    for file in local.files : file => {
      for match in regexall("(?m)^  \"(title|uid)\": \"(.*)\",?$", file("${local.directory}/${file}")) : match[0] => match[1]...
    } if !contains(local.invalid, file)
  }
  titles   = { for file, top in local.tops : file => try(top.title[0], jsondecode(file("${local.directory}/${file}")).title, "") }
  own_uids = { for file, top in local.tops : file => try(top.uid[0], jsondecode(file("${local.directory}/${file}")).uid, "") }

  untitled      = [for file, title in local.titles : file if title == ""]
  folder_titled = [for file, title in local.titles : file if lower(title) == lower(local.folders[dirname(file)].title)]
  misnamed      = [for file, uid in local.own_uids : file if uid != trimsuffix(basename(file), ".json")]

  long_uids    = [for uid, _ in local.uids : uid if !can(regex("^[a-zA-Z0-9_-]{1,40}$", uid))]
  long_folders = [for name, folder in local.folders : name if !can(regex("^[a-zA-Z0-9_-]{1,40}$", folder.uid))]

  twice_titled = {
    for key, files in {
      for file, title in local.titles : "${dirname(file)}/${lower(title)}" => file...
    } : key => files if length(files) > 1
  }

  findings = concat(
    [for file in local.strays : "${local.shown}/${file} is not in a folder: dashboards live in ${local.shown}/<folder>/<uid>.json"],
    [for file in local.invalid : "${local.shown}/${file} is not a JSON object; `lookout fmt --check ${local.shown}/${file}` names the line"],
    [for uid, files in local.duplicates : "the uid ${uid} is used by ${join(" and ", [for file in files : "${local.shown}/${file}"])}: rename one of the files and the uid in it"],
    [for file in local.misnamed : "${local.shown}/${file} has the uid \"${local.own_uids[file]}\": file name and uid must be the same"],
    [for file in local.untitled : "${local.shown}/${file} has no title"],
    [for file in local.folder_titled : "${local.shown}/${file} has its folder's title \"${local.titles[file]}\", which Grafana refuses: rename the dashboard, or the folder by folder_titles"],
    [for files in local.twice_titled : "${join(" and ", [for file in files : "${local.shown}/${file}"])} have the same title \"${local.titles[files[0]]}\", which Grafana refuses within a folder"],
    [for uid in local.long_uids : "${uid}.json: a uid has 1 to 40 letters, digits, '-' and '_'"],
    [for name in local.long_folders : "folder ${name}: its uid ${var.folder_uid_prefix}${name} has to be 1 to 40 letters, digits, '-' and '_'"],
  )
}

module "folder" {
  source   = "./folder"
  for_each = local.folders

  folder  = each.value
  message = var.message
  dashboards = {
    for file in local.files : trimsuffix(basename(file), ".json") => {
      file        = "${local.directory}/${file}"
      replacement = lookup(local.replacements, file, null)
    } if dirname(file) == each.key && !contains(local.invalid, file)
  }
}
