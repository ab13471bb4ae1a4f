import CMalloc
import Glibc
import MatrixPrimitives

/// The memory that requests have let go of, given back to the system; the C library alone would keep it for the next
/// ones.
///
/// A first sync of hundreds of large rooms takes hundreds of megabytes for a moment; a process that has answered one must not
/// stay that large until it ends.
struct FreedMemory {
  /// The size in bytes from which on buffers are given back as soon as they are let go of.
  private static let largeBuffer: Int32 = 1 << 20
  /// What may lie idle for the next requests while there are some, in bytes.
  private static let busyAllowance = 16 << 20
  /// What may lie idle otherwise, in bytes.
  private static let quietAllowance = 2 << 20
  private static let seconds: Int64 = 5
  /// A process that has worked for less than this in an interval is quiet.
  private static let quietWork = Duration.milliseconds(100)

  /// What lay idle after the last time that memory was given back, in bytes: pages that are not all free, stacks and the like.
  private var floor = 0
  private var work = Self.workSoFar

  /// Keeps the C library from scattering memory; to be called before there are many threads.
  ///
  /// By itself it has up to eight arenas for each core, and what one thread has let go of is no use to the others. As many as can be used
  /// at the same time are as fast and leave fewer pages half empty.
  static func gather() {
    mallopt(M_MMAP_THRESHOLD, largeBuffer)
    mallopt(M_ARENA_MAX, Int32(clamping: max(2, sysconf(Int32(_SC_NPROCESSORS_ONLN)))))
  }

  /// Looks after the process's memory until cancelled.
  static func run() async {
    var memory = FreedMemory()
    while (try? await Beat.wait(seconds: seconds)) != nil { memory.look() }
  }

  private mutating func look() {
    let before = work
    work = Self.workSoFar
    let allowance = work - before < Self.quietWork ? Self.quietAllowance : Self.busyAllowance
    guard let idle = Self.idle else { return }
    guard idle > floor + allowance else {
      floor = min(floor, idle)
      return
    }
    malloc_trim(0)
    floor = Self.idle ?? idle
  }

  /// Resident bytes that are not allocated. What was given back still counts as free with the C library, so that its own figure
  /// is of no use.
  private static var idle: Int? {
    guard let memory = ProcessMemory.now() else { return nil }
    let usage = mallinfo2()
    return memory.anonymous - Int(clamping: usage.uordblks) - Int(clamping: usage.hblkhd)
  }

  /// Processor time of all threads since the process began.
  private static var workSoFar: Duration {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }
}
