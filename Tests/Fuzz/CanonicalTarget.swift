import MatrixPrimitives

/// Encodes canonically, strictly and not, and encodes the result once more.
enum CanonicalTarget {
  static func run(_ bytes: [UInt8]) throws {
    guard let value = try? JSONValue.parse(bytes) else { return }
    var strict: [UInt8]?
    for isStrict in [true, false] {
      guard let encoded = try? CanonicalJSON.encode(value, strict: isStrict) else { continue }
      let again = try CanonicalJSON.encode(try JSONValue.parse(encoded), strict: isStrict)
      try BrokenProperty.require(again == encoded, "canonical JSON is its own canonical form (strict: \(isStrict))")
      let omitted = try CanonicalJSON.encode(value, omitting: ["signatures", "a"], strict: isStrict)
      try BrokenProperty.require(omitted.count <= encoded.count, "leaving members out makes nothing longer")
      if isStrict {
        strict = encoded
        let tree = try CanonicalJSON.encode(value.json)
        // A dictionary merges keys that Unicode counts as equal, so only the length tells.
        try BrokenProperty.require(tree.count <= encoded.count, "trees and documents have one canonical form")
      } else if let strict, !value.containsNonIntegers() {
        try BrokenProperty.require(strict == encoded, "integers are written alike in all room versions")
      }
    }
  }
}
