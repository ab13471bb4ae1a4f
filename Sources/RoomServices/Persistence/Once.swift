import Synchronization

/// Does something at the first call, and nothing at further ones, wherever they come from.
final class Once<Argument>: Sendable {
  private let isOver = Mutex(false)
  private let body: @Sendable (Argument) -> Void

  init(_ body: @escaping @Sendable (Argument) -> Void) {
    self.body = body
  }

  func callAsFunction(_ argument: Argument) {
    let isFirst = isOver.withLock { isOver in
      defer { isOver = true }
      return !isOver
    }
    if isFirst { body(argument) }
  }
}
