import MatrixPrimitives

/// Cuts events down to the fields that a filter's `event_fields` names.
struct EventFieldSelection: Sendable {
  private let paths: [[Text]]

  /// Reads fields such as `content.body`; a dot that belongs to a name is written `\.`, a backslash `\\`.
  init(_ fields: [Text]) { paths = fields.map(Self.split) }

  /// Returns the event with nothing but the selected fields; `event_id`-less selections are the client's own wish.
  func select(from event: JSONValue) -> JSON {
    var result: JSON = .object([:])
    for path in paths {
      if let value = Self.value(event, path[...]) { Self.put(value.json, at: path[...], in: &result) }
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

  private static func split(_ field: Text) -> [Text] {
    var (parts, current, isEscaped) = ([Text](), "", false)
    for scalar in field.unicodeScalars {
      if isEscaped {
        if scalar != ".", scalar != "\\" { current.append("\\") }
        current.append(Text(scalar))
        isEscaped = false
      } else if scalar == "\\" {
        isEscaped = true
      } else if scalar == "." {
        parts.append(current)
        current = ""
      } else {
        current.append(Text(scalar))
      }
    }
    if isEscaped { current.append("\\") }
    parts.append(current)
    return parts
  }
}
