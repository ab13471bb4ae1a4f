import CMalloc
import Glibc

/// Gives memory that requests have let go of back to the system, which the C library alone would keep for the next ones.
///
/// A first sync of hundreds of large rooms takes hundreds of megabytes for a moment; a process that has answered one must not
/// stay that large until it ends.
enum FreedMemory {
  /// Buffers from this many bytes on are given back as soon as they are let go of.
  private static let largeBuffer: Int32 = 1 << 20
  /// What may lie idle for the next requests, in bytes.
  private static let idleAllowance = 16 << 20
  private static let interval = Duration.seconds(5)

  /// Looks after the process's memory until cancelled.
  static func run() async {
    mallopt(M_MMAP_THRESHOLD, largeBuffer)
    var kept = 0
    while !Task.isCancelled {
      try? await Task.sleep(for: interval)  // cancelled: the loop ends
      let free = mallinfo2().fordblks
      // What was given back still counts as free, so only new idle memory is worth another pass.
      guard Int(clamping: free) > kept + idleAllowance else {
        kept = min(kept, Int(clamping: free))
        continue
      }
      malloc_trim(0)
      kept = Int(clamping: mallinfo2().fordblks)
    }
  }
}
