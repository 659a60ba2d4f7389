locals {
  app_path = "/lookout/app"

  # A program on a real JVM that exposes its MXBeans under the names of the JMX exporter. Compiled where it runs, since no image of it
  # is published; the compiler ends before the program starts.
  containers = var.sample_image == null ? {} : {
    jvm-sample = {
      command          = ["-euc", "javac -J-Xmx64m -J-XX:+UseSerialGC -d /tmp ${local.app_path}/Sample.java; exec java -Xmx32m -Xss512k -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=16m -XX:MaxMetaspaceSize=32m -XX:-UsePerfData -cp /tmp Sample"]
      config_path      = local.app_path
      entrypoint       = ["sh"]
      files            = { "Sample.java" = file("${path.module}/Sample.java") }
      health_path      = "/metrics"
      health_port      = 9404
      image            = var.sample_image
      memory_mebibytes = 160
      port             = 9404
    }
  }
}
