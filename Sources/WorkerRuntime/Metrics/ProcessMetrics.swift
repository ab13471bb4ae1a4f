import FoundationEssentials
import Glibc

/// What the kernel knows of this process, under the names that Prometheus' client libraries use.
struct ProcessMetrics: Sendable {
  private let started = Date().timeIntervalSince1970

  /// Writes processor time, memory, open files and the start time.
  func write(to text: inout MetricsText) {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    text.sample(
      "process_cpu_seconds_total", .counter, help: "Processor time, user and system.",
      Self.seconds(usage.ru_utime) + Self.seconds(usage.ru_stime))
    if let resident = ProcessMemory.now()?.resident {
      text.sample("process_resident_memory_bytes", .gauge, help: "Resident memory.", Double(resident))
    }
    if let descriptors = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
      text.sample("process_open_fds", .gauge, help: "Open file descriptors.", Double(descriptors.count))
    }
    text.sample("process_start_time_seconds", .gauge, help: "Start, in seconds since 1970.", started)
  }

  private static func seconds(_ time: timeval) -> Double {
    Double(time.tv_sec) + Double(time.tv_usec) / 1e6
  }
}
