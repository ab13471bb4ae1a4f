import NIOCore

/// An executor that runs the work of a task on the thread of an event loop.
///
/// Work that starts on a loop and continues where its sockets are read and written hands nothing from thread to thread, which for small
/// requests costs more than the work does. Whatever takes long has to go elsewhere.
final class EventLoopExecutor: TaskExecutor {
  private let loop: any EventLoop

  /// Makes an executor of a loop.
  init(_ loop: any EventLoop) {
    self.loop = loop
  }

  /// Runs a job as soon as the loop comes to it.
  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}
