import MatrixPrimitives

/// A reader of a row's fields by position, which reports stream and index of a field that has the wrong type.
struct RowReader {
  let stream: StreamName
  let value: JSONValue

  init(stream: StreamName, value: JSONValue) throws(ReplicationError) {
    guard value.kind == .array else {
      throw ReplicationError(.malformedRow, "\(stream): a row is an array")
    }
    self.stream = stream
    self.value = value
  }

  /// Reads a nested row, as the `events` stream has them.
  func row(_ index: Int) throws(ReplicationError) -> RowReader {
    try RowReader(stream: stream, value: try field(index))
  }

  func field(_ index: Int) throws(ReplicationError) -> JSONValue {
    guard let field = value[index] else { throw wrong(index, "is missing") }
    return field
  }

  func string(_ index: Int) throws(ReplicationError) -> Text {
    guard let text = try field(index).string else { throw wrong(index, "is not a string") }
    return text
  }

  func optionalString(_ index: Int) throws(ReplicationError) -> Text? {
    let field = try field(index)
    if field.isNull { return nil }
    guard let text = field.string else { throw wrong(index, "is neither a string nor null") }
    return text
  }

  func bool(_ index: Int) throws(ReplicationError) -> Bool {
    guard let flag = try field(index).bool else { throw wrong(index, "is not a boolean") }
    return flag
  }

  func integer(_ index: Int) throws(ReplicationError) -> Int64 {
    guard let number = try field(index).integer else { throw wrong(index, "is not an integer") }
    return number
  }

  func strings(_ index: Int) throws(ReplicationError) -> [Text] {
    guard let texts = try optionalStrings(index) else { throw wrong(index, "is not a list") }
    return texts
  }

  func optionalStrings(_ index: Int) throws(ReplicationError) -> [Text]? {
    let field = try field(index)
    if field.isNull { return nil }
    guard let elements = field.elements else { throw wrong(index, "is neither a list nor null") }
    var texts: [Text] = []
    texts.reserveCapacity(elements.count)
    for element in elements {
      guard let text = element.string else { throw wrong(index, "holds something that is not a string") }
      texts.append(text)
    }
    return texts
  }

  func object(_ index: Int) throws(ReplicationError) -> JSON {
    let field = try field(index)
    guard field.kind == .object else { throw wrong(index, "is not an object") }
    return field.json
  }

  private func wrong(_ index: Int, _ what: Text) -> ReplicationError {
    ReplicationError(.malformedRow, "\(stream): field \(index) \(what)")
  }
}

extension JSONWriter {
  mutating func nullable(_ text: Text?) {
    if let text { value(text) } else { null() }
  }

  mutating func list(_ texts: [Text]) {
    beginArray()
    for text in texts { value(text) }
    endArray()
  }
}
