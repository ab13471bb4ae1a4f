import MatrixPrimitives

/// The fields to which a filter's `event_fields` cuts events down.
public struct EventFieldSelection: Sendable {
  private let paths: [EventPath]

  /// Reads fields such as `content.body`; a dot that belongs to a name is written `\.`, a backslash `\\`.
  public init(_ fields: [Text]) { paths = fields.map(EventPath.init) }

  /// Returns the event with nothing but the selected fields; `event_id`-less selections are the client's own wish.
  public func select(from event: JSONValue) -> JSON {
    var result: JSON = .object([:])
    for path in paths {
      let components = path.components[...]
      if let value = Self.value(event, components) { Self.put(value.json, at: components, in: &result) }
    }
    return result
  }

  private static func value(_ json: JSONValue, _ path: ArraySlice<Text>) -> JSONValue? {
    guard let first = path.first else { return json }
    return json[first].flatMap { value($0, path.dropFirst()) }
  }

  private static func put(_ value: JSON, at path: ArraySlice<Text>, in target: inout JSON) {
    guard let first = path.first else {
      target = value
      return
    }
    var members = target.members ?? [:]
    var child = members[first] ?? .object([:])
    put(value, at: path.dropFirst(), in: &child)
    members[first] = child
    target = .object(members)
  }
}
