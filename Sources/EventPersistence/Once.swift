import Synchronization

/// An action that happens at the first call, and not at further ones, wherever they come from.
package final class Once<Argument>: Sendable {
  private let isOver = Mutex(false)
  private let body: @Sendable (Argument) -> Void

  /// Makes an action that is still to be done.
  package init(_ body: @escaping @Sendable (Argument) -> Void) {
    self.body = body
  }

  /// Does it, unless that has been done.
  package func callAsFunction(_ argument: Argument) {
    let isFirst = isOver.withLock { isOver in
      defer { isOver = true }
      return !isOver
    }
    if isFirst { body(argument) }
  }
}
