import ByteText

/// What can be fuzzed. A target takes any bytes; it must not trap, and what it checks must hold.
enum FuzzTarget: Text, CaseIterable {
  case json, canonical, event, identifiers, replication, tokens

  /// Feeds one input.
  /// - Throws: `BrokenProperty` when the code under test contradicts itself.
  func run(_ bytes: [UInt8]) throws {
    switch self {
    case .json: try JSONTarget.run(bytes)
    case .canonical: try CanonicalTarget.run(bytes)
    case .event: try EventTarget.run(bytes)
    case .identifiers: try IdentifierTarget.run(bytes)
    case .replication: try ReplicationTarget.run(bytes)
    case .tokens: try TokenTarget.run(bytes)
    }
  }
}

/// The property that did not hold.
struct BrokenProperty: Error, CustomStringConvertible {
  let description: String

  static func require(_ holds: Bool, _ property: Text) throws(BrokenProperty) {
    if !holds { throw BrokenProperty(description: property.string) }
  }
}
