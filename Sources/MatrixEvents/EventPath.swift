import MatrixPrimitives

/// The path of a member of an event in the dotted notation of push conditions: `content.m\.relates_to.rel_type`.
struct EventPath: Sendable, Hashable {
  let components: [Text]

  /// Splits at dots; a backslash takes a following dot or backslash literally and stands for itself before anything else.
  init(_ key: Text) {
    var components: [Text] = []
    var current = ""
    var scalars = key.unicodeScalars.makeIterator()
    while let scalar = scalars.next() {
      switch scalar {
      case ".":
        components.append(current)
        current = ""
      case "\\":
        guard let next = scalars.next() else {
          current.append(Text(scalar))
          break
        }
        if next != ".", next != "\\" { current.append(Text(scalar)) }
        current.append(Text(next))
      default: current.append(Text(scalar))
      }
    }
    components.append(current)
    self.components = components
  }

  /// Finds the member in an event.
  func value(in event: Event) -> JSONValue? {
    guard let first = components.first else { return nil }
    var value = first == "content" ? event.content : event.json[first]
    for component in components.dropFirst() {
      guard let inner = value?[component] else { return nil }
      value = inner
    }
    return value
  }
}
