import CHiredis
import Glibc
import Synchronization
import Threads

/// A thread of the process that waits for a subscription's socket and, in between, runs the jobs it is given.
///
/// What comes is handled where it is read: nothing is handed from thread to thread, which for single rows of a stream costs more
/// than the work does. So whatever runs here must neither block nor take long.
public final class FollowingThread: TaskExecutor {
  private let loop = FollowingLoop()

  /// Starts the thread, which ends with this object.
  public init() {
    BlockingThread.start("redis-follow") { [loop] in loop.run() }
  }

  deinit { loop.add(.end) }

  /// Runs a job of a task as soon as the thread comes to it.
  public func enqueue(_ job: consuming ExecutorJob) {
    loop.add(.task(UnownedJob(job), asUnownedTaskExecutor()))
  }

  /// Runs a closure as soon as the thread comes to it, after everything that was given to it before.
  ///
  /// - Parameter body: what to do; must not block.
  public func execute(_ body: @escaping @Sendable () -> Void) { loop.add(.body(body)) }

  /// Follows a subscription instead of the former one.
  ///
  /// - Parameters:
  ///   - subscription: a fresh one.
  ///   - receive: takes what comes, on the thread.
  ///   - end: called once, on the thread, when the subscription has ended, with the reason.
  func follow(
    _ subscription: RedisSubscription, receive: @escaping @Sendable (RedisSubscriber.Event) -> Void,
    end: @escaping @Sendable (RedisError) -> Void
  ) {
    loop.add(.follow(subscription, receive, end))
  }

  /// Ends a subscription, whether it is followed already or not yet.
  func leave(_ subscription: RedisSubscription) { loop.add(.leave(subscription)) }
}

/// A loop that waits for a socket and for jobs.
private final class FollowingLoop: Sendable {
  enum Job: Sendable {
    case task(UnownedJob, UnownedTaskExecutor)
    case body(@Sendable () -> Void)
    case follow(
      RedisSubscription, @Sendable (RedisSubscriber.Event) -> Void, @Sendable (RedisError) -> Void)
    case leave(RedisSubscription)
    case end
  }

  private struct State {
    var jobs: [Job] = []
    /// Whether the thread waits, or is about to, and has to be woken.
    var isAsleep = false
  }

  /// State of the thread alone.
  private struct Followed {
    let subscription: RedisSubscription
    let receive: @Sendable (RedisSubscriber.Event) -> Void
    let end: @Sendable (RedisError) -> Void
  }

  private let state = Mutex(State())
  private let bell: Int32

  init() {
    var bell = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
    while bell < 0 {
      BlockingThread.sleep(for: .milliseconds(10))
      bell = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
    }
    self.bell = bell
  }

  deinit { close(bell) }

  func add(_ job: Job) {
    let mustWake = state.withLock { state in
      state.jobs.append(job)
      defer { state.isAsleep = false }
      return state.isAsleep
    }
    // Can only fail when the bell has been rung more often than a number of 64 bits can count.
    if mustWake { _ = eventfd_write(bell, 1) }
  }

  /// Runs until it is stopped.
  func run() {
    var followed: Followed?
    var jobs: [Job] = []
    var hasJustRead = false
    var entries = (
      pollfd(fd: bell, events: Int16(POLLIN), revents: 0), pollfd(fd: -1, events: Int16(POLLIN), revents: 0)
    )
    while true {
      state.withLock { state in
        swap(&jobs, &state.jobs)
        state.isAsleep = jobs.isEmpty
      }
      guard jobs.isEmpty else {
        for job in jobs where !run(job, &followed) { return }
        jobs.removeAll(keepingCapacity: jobs.capacity <= 64)
        continue
      }
      entries.1.fd = followed?.subscription.descriptor ?? -1
      let patience = followed?.subscription.patience(hasJustRead: hasJustRead) ?? -1
      let count = withUnsafeMutableBytes(of: &entries) { raw in
        poll(raw.baseAddress?.assumingMemoryBound(to: pollfd.self), 2, patience)
      }
      state.withLock { $0.isAsleep = false }
      if count > 0, entries.0.revents != 0 {
        var rings: eventfd_t = 0
        _ = eventfd_read(bell, &rings)
      }
      hasJustRead = count > 0 && entries.1.revents != 0
      if let followed, hasJustRead { followed.subscription.read(followed.receive) }
      finish(&followed)
    }
  }

  /// Does a job. Returns false when it was the last one.
  private func run(_ job: Job, _ followed: inout Followed?) -> Bool {
    switch job {
    case .task(let job, let executor): job.runSynchronously(on: executor)
    case .body(let body): body()
    case .follow(let subscription, let receive, let end):
      followed?.subscription.leave()
      finish(&followed)
      followed = Followed(subscription: subscription, receive: receive, end: end)
      // Something may have been read together with the answers to logging in.
      subscription.deliver(receive)
      finish(&followed)
    case .leave(let subscription):
      subscription.leave()
      finish(&followed)
    case .end:
      followed?.subscription.leave()
      finish(&followed)
      return false
    }
    return true
  }

  /// Lets go of a subscription that has ended.
  private func finish(_ followed: inout Followed?) {
    guard let ended = followed, let reason = ended.subscription.failure else { return }
    followed = nil
    ended.end(reason)
  }
}
