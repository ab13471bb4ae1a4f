import MatrixPrimitives

/// The target that encodes canonically, strictly and not, and encodes the result once more.
enum CanonicalTarget {
  static func run(_ bytes: [UInt8]) throws {
    guard let value = try? JSONValue.parse(bytes) else { return }
    var strict: [UInt8]?
    for isStrict in [true, false] {
      guard let encoded = try? CanonicalJSON.encode(value, strict: isStrict) else { continue }
      let again = try CanonicalJSON.encode(try JSONValue.parse(encoded), strict: isStrict)
      try BrokenProperty.require(again == encoded, "canonical JSON is its own canonical form (strict: \(isStrict))")
      try BrokenProperty.require(
        Self.keys(of: try JSONValue.parse(encoded)) == Self.keys(of: value),
        "canonical JSON has all keys, by their bytes")
      let omitted = try CanonicalJSON.encode(value, omitting: ["signatures", "a"], strict: isStrict)
      try BrokenProperty.require(omitted.count <= encoded.count, "leaving members out makes nothing longer")
      if isStrict {
        strict = encoded
        let tree = try CanonicalJSON.encode(value.json)
        try BrokenProperty.require(tree == encoded, "trees and documents have one canonical form")
      } else if let strict, !value.containsNonIntegers() {
        try BrokenProperty.require(strict == encoded, "integers are written alike in all room versions")
      }
    }
  }

  /// Lists the keys of all objects, as paths of bytes. Of a repeated key the last counts, as it does everywhere.
  private static func keys(of value: JSONValue, below path: [UInt8] = []) -> Set<[UInt8]> {
    var found: Set<[UInt8]> = []
    for (index, element) in (value.elements?.enumerated().map { $0 } ?? []) {
      found.formUnion(keys(of: element, below: path + [0xFE] + Array(Text(index).utf8)))
    }
    guard let members = value.members else { return found }
    var last: [[UInt8]: JSONValue] = [:]
    for (key, member, _) in members.slices { last[Array((key.string ?? "").utf8)] = member }
    for (key, member) in last {
      let whole = path + [0xFF] + key
      found.insert(whole)
      found.formUnion(keys(of: member, below: whole))
    }
    return found
  }
}
