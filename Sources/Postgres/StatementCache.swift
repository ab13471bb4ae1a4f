import ByteText

/// The statements that are prepared on a connection, at most a given number of them.
struct StatementCache {
  private struct Entry {
    let name: Text
    var lastUse: UInt64
  }

  private let limit: Int
  private var entries: [Text: Entry] = [:]
  private var counter: UInt64 = 0
  /// Statements that are prepared on the server and no longer remembered here.
  private(set) var superfluous: [Text] = []

  init(limit: Int) {
    self.limit = max(1, limit)
  }

  /// Returns the name under which a statement is prepared, and whether it has to be prepared first.
  mutating func name(for text: Text) -> (name: Text, isNew: Bool) {
    counter += 1
    if let index = entries.index(forKey: text) {
      entries.values[index].lastUse = counter
      return (entries.values[index].name, false)
    }
    if entries.count >= limit, let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse }) {
      superfluous.append(oldest.value.name)
      entries[oldest.key] = nil
    }
    // Names are never used twice, so that one which failed to be deallocated does no harm.
    let name: Text = "s\(counter)"
    entries[text] = Entry(name: name, lastUse: counter)
    return (name, true)
  }

  /// Forgets a statement that could not be prepared.
  mutating func forget(_ text: Text) {
    entries[text] = nil
  }

  /// Forgets everything, after the server said that a plan no longer fits.
  mutating func forgetAll() {
    superfluous.append(contentsOf: entries.values.map(\.name))
    entries.removeAll()
  }

  /// Hands out the statements to deallocate.
  mutating func takeSuperfluous() -> [Text] {
    let names = superfluous
    superfluous = []
    return names
  }

  /// Takes back a statement whose deallocation did not happen.
  mutating func putBack(_ name: Text) {
    superfluous.append(name)
  }
}
