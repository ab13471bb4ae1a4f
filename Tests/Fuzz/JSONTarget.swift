import MatrixPrimitives

/// The target that parses text, walks all of it, and reads back what it writes.
enum JSONTarget {
  static func run(_ bytes: [UInt8]) throws {
    guard let value = try? JSONValue.parse(bytes) else { return }
    visit(value)
    let tree = value.json
    let again = try JSONValue.parse(tree.encoded)
    try BrokenProperty.require(again.json == tree, "a tree that is written and read again is the same tree")
    try BrokenProperty.require(
      (try JSONValue.parse(Array(value.raw))).json == tree, "a value's source bytes are that value")
  }

  /// Depth is bounded by the parser.
  private static func visit(_ value: JSONValue) {
    _ = (value.string, value.integer, value.double, value.bool, value.isNull, value.raw.count)
    if let elements = value.elements {
      for element in elements { visit(element) }
      _ = (elements.count, value[0]?.kind, value[elements.count]?.kind)
    }
    guard let members = value.members else { return }
    for (key, member) in members {
      _ = value[key]?.kind
      visit(member)
    }
    for (key, member, raw) in members.slices { _ = (key.isString("content"), member.kind, raw.count) }
    _ = (members.count, value.containsNonIntegers(outside: "a"))
    _ = (try? value.optionalString("a"), try? value.requireInteger("a"), try? value.optionalObject("content"))
  }
}
