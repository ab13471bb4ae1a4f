/// Does something in a task of its own and waits for it.
///
/// A task keeps the memory that its calls took until it ends, so whoever is going to wait for long has what comes before done like
/// this. Cancelling the caller cancels the work.
///
/// - Parameter body: what to do.
/// - Returns: what the closure returned.
/// - Throws: what the closure threw.
public func inOwnTask<R: Sendable>(_ body: @escaping @Sendable () async throws -> R) async throws -> R {
  let task = Task(operation: body)
  return try await withTaskCancellationHandler {
    try await task.value
  } onCancel: {
    task.cancel()
  }
}
