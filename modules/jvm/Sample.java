import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.lang.management.BufferPoolMXBean;
import java.lang.management.ClassLoadingMXBean;
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.lang.management.MemoryUsage;
import java.lang.management.RuntimeMXBean;
import java.lang.management.ThreadMXBean;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.concurrent.Executors;

/** A program on a JVM that does a little work and exposes its MXBeans on /metrics, under the names that the JMX exporter gives them. */
public class Sample {
  public static void main(String[] args) throws IOException {
    HttpServer server = HttpServer.create(new InetSocketAddress(9404), 16);
    server.createContext("/metrics", exchange -> {
      byte[] body = metrics().getBytes(StandardCharsets.UTF_8);
      exchange.getResponseHeaders().set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
      exchange.sendResponseHeaders(200, body.length);
      exchange.getResponseBody().write(body);
      exchange.close();
    });
    server.setExecutor(Executors.newFixedThreadPool(2));
    server.start();
    work();
  }

  /** Keeps a few orders and forgets them again, so that there is something to collect. */
  static void work() {
    ArrayDeque<byte[]> orders = new ArrayDeque<>();
    ByteBuffer direct = ByteBuffer.allocateDirect(1 << 16);
    while (true) {
      orders.add(new byte[64 << 10]);
      direct.put(0, (byte) orders.size());
      if (orders.size() > 64) {
        orders.removeFirst();
      }
      try {
        Thread.sleep(50);
      } catch (InterruptedException e) {
        return;
      }
    }
  }

  static String metrics() {
    StringBuilder out = new StringBuilder();
    memory(out);
    type(out, "jvm_memory_pool_used_bytes", "gauge", "Used bytes of a given JVM memory pool.");
    for (MemoryPoolMXBean pool : ManagementFactory.getMemoryPoolMXBeans()) {
      sample(out, "jvm_memory_pool_used_bytes", "pool", pool.getName(), pool.getUsage().getUsed());
    }
    type(out, "jvm_gc_collection_seconds", "summary", "Time spent in a given JVM garbage collector in seconds.");
    for (GarbageCollectorMXBean gc : ManagementFactory.getGarbageCollectorMXBeans()) {
      sample(out, "jvm_gc_collection_seconds_count", "gc", gc.getName(), gc.getCollectionCount());
      sample(out, "jvm_gc_collection_seconds_sum", "gc", gc.getName(), gc.getCollectionTime() / 1000.0);
    }
    type(out, "jvm_buffer_pool_used_bytes", "gauge", "Used bytes of a given JVM buffer pool.");
    for (BufferPoolMXBean pool : ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class)) {
      sample(out, "jvm_buffer_pool_used_bytes", "pool", pool.getName(), pool.getMemoryUsed());
    }
    ThreadMXBean threads = ManagementFactory.getThreadMXBean();
    plain(out, "jvm_threads_current", "gauge", "Current thread count of a JVM.", threads.getThreadCount());
    plain(out, "jvm_threads_daemon", "gauge", "Daemon thread count of a JVM.", threads.getDaemonThreadCount());
    plain(out, "jvm_threads_peak", "gauge", "Peak thread count of a JVM.", threads.getPeakThreadCount());
    long[] deadlocked = threads.findDeadlockedThreads();
    plain(out, "jvm_threads_deadlocked", "gauge", "Cycles of JVM threads that wait for each other's monitors or synchronizers.",
        deadlocked == null ? 0 : deadlocked.length);
    ClassLoadingMXBean classes = ManagementFactory.getClassLoadingMXBean();
    plain(out, "jvm_classes_currently_loaded", "gauge", "Classes that are currently loaded in the JVM.", classes.getLoadedClassCount());
    RuntimeMXBean runtime = ManagementFactory.getRuntimeMXBean();
    type(out, "jvm_runtime_info", "gauge", "JVM runtime info.");
    out.append("jvm_runtime_info{runtime=\"").append(runtime.getVmName()).append("\",vendor=\"").append(runtime.getVmVendor())
        .append("\",version=\"").append(runtime.getVmVersion()).append("\"} 1\n");
    plain(out, "process_start_time_seconds", "gauge", "Start time of the process since the Unix epoch in seconds.", runtime.getStartTime() / 1000.0);
    if (ManagementFactory.getOperatingSystemMXBean() instanceof com.sun.management.UnixOperatingSystemMXBean unix) {
      plain(out, "process_cpu_seconds_total", "counter", "User and system CPU time in seconds.", unix.getProcessCpuTime() / 1e9);
      plain(out, "process_open_fds", "gauge", "Open file descriptors.", unix.getOpenFileDescriptorCount());
      plain(out, "process_max_fds", "gauge", "Most file descriptors that may be open.", unix.getMaxFileDescriptorCount());
    }
    return out.toString();
  }

  static void memory(StringBuilder out) {
    MemoryUsage heap = ManagementFactory.getMemoryMXBean().getHeapMemoryUsage();
    MemoryUsage nonheap = ManagementFactory.getMemoryMXBean().getNonHeapMemoryUsage();
    type(out, "jvm_memory_used_bytes", "gauge", "Used bytes of a given JVM memory area.");
    sample(out, "jvm_memory_used_bytes", "area", "heap", heap.getUsed());
    sample(out, "jvm_memory_used_bytes", "area", "nonheap", nonheap.getUsed());
    type(out, "jvm_memory_committed_bytes", "gauge", "Committed bytes of a given JVM memory area.");
    sample(out, "jvm_memory_committed_bytes", "area", "heap", heap.getCommitted());
    sample(out, "jvm_memory_committed_bytes", "area", "nonheap", nonheap.getCommitted());
    // -1 where there is no limit, as the JMX exporter has it.
    type(out, "jvm_memory_max_bytes", "gauge", "Maximum bytes of a given JVM memory area.");
    sample(out, "jvm_memory_max_bytes", "area", "heap", heap.getMax());
    sample(out, "jvm_memory_max_bytes", "area", "nonheap", nonheap.getMax());
  }

  static void type(StringBuilder out, String name, String type, String help) {
    out.append("# HELP ").append(name).append(' ').append(help).append('\n');
    out.append("# TYPE ").append(name).append(' ').append(type).append('\n');
  }

  static void sample(StringBuilder out, String name, String label, String value, double number) {
    out.append(name).append('{').append(label).append("=\"").append(value).append("\"} ").append(number).append('\n');
  }

  static void plain(StringBuilder out, String name, String type, String help, double number) {
    type(out, name, type, help);
    out.append(name).append(' ').append(number).append('\n');
  }
}
