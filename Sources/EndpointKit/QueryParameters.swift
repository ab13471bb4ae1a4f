import ByteText

/// The decoded parameters of a request's query, in their order, repeated names included.
struct QueryParameters: Sendable {
  let items: [(name: Text, value: Text)]

  /// No parameters.
  static let none = QueryParameters(items: [])

  private init(items: [(name: Text, value: Text)]) { self.items = items }

  /// Parses a form-encoded query without its question mark. A name without `=` has an empty value.
  ///
  /// - Returns: nil when a name or value is not UTF-8 after decoding.
  init?(_ query: Substring) {
    var items: [(name: Text, value: Text)] = []
    // Divided by bytes, since ampersands and equal signs stand for themselves wherever they are.
    for pair in query.utf8.split(separator: UInt8(ascii: "&")) {
      let divider = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
      guard let name = PercentDecoding.decodeForm(Substring(pair[..<divider])),
        let value = PercentDecoding.decodeForm(Substring(pair[divider...].dropFirst()))
      else { return nil }
      items.append((name, value))
    }
    self.items = items
  }

  /// Finds the first value of a name.
  func first(_ name: Text) -> Text? {
    items.first { $0.name == name }?.value
  }

  /// Lists all values of a name.
  func all(_ name: Text) -> [Text] {
    items.lazy.filter { $0.name == name }.map(\.value)
  }
}
