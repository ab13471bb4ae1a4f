/// Holds the decoded parameters of a request's query, in their order, repeated names included.
struct QueryParameters: Sendable {
  let items: [(name: String, value: String)]

  /// Parses a form-encoded query without its question mark. A name without `=` has an empty value.
  ///
  /// - Returns: nil when a name or value is not UTF-8 after decoding.
  init?(_ query: Substring) {
    var items: [(name: String, value: String)] = []
    for pair in query.split(separator: "&") {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let first = parts.first, let name = PercentDecoding.decodeForm(first) else { return nil }
      guard let value = parts.count > 1 ? PercentDecoding.decodeForm(parts[1]) : "" else { return nil }
      items.append((name, value))
    }
    self.items = items
  }

  /// Finds the first value of a name.
  func first(_ name: String) -> String? {
    items.first { $0.name == name }?.value
  }

  /// Lists all values of a name.
  func all(_ name: String) -> [String] {
    items.lazy.filter { $0.name == name }.map(\.value)
  }
}
