# The exporter sees the host through its root directory, mounted read-only, as a user without any rights. It has no part in the
# host's network: its own interfaces are those of the container, so none are reported.
locals {
  containers = {
    node-exporter = {
      binds = { "/host" = "/" }
      command = concat([
        "--collector.disable-defaults",
        "--path.procfs=/host/proc",
        "--path.rootfs=/host",
        "--path.sysfs=/host/sys",
        "--web.listen-address=:9100",
        "--collector.filesystem.fs-types-exclude=${var.ignored_filesystems}",
        "--collector.filesystem.mount-points-exclude=${var.ignored_mount_points}",
        ], [for collector in ["cpu", "diskstats", "filefd", "filesystem", "loadavg", "meminfo", "stat", "time", "timex", "uname", "vmstat"] : "--collector.${collector}"
      ])
      env         = ["GOMAXPROCS=1"]
      health_path = "/"
      health_port = 9100
      image       = var.image
      port        = 9100
    }
  }
}
