/// One value inside a parsed document; copying it costs a reference count.
public struct JSONValue: Sendable {
  /// The type of a value. Integers that fit 64 bits are distinguished from all other numbers.
  public enum Kind: Sendable {
    case object, array, string, integer, double, bool, null
  }

  let document: JSONDocument
  let index: Int

  /// `{}`, for where a missing object reads as an empty one.
  public static let emptyObject: JSONValue = {
    var nodes = JSONTape(textSize: 2, capacity: 1)
    nodes.append(.object, start: 0, end: 2)
    return JSONDocument(bytes: Array("{}".utf8), nodes: nodes).root
  }()

  /// Parses a whole text; see `JSONDocument.parse`.
  public static func parse(
    _ bytes: [UInt8], maximumDepth: Int = JSONDocument.receivedDepth
  ) throws(JSONError) -> JSONValue {
    try JSONDocument.parse(bytes, maximumDepth: maximumDepth).root
  }

  /// Parses a whole text; see `JSONDocument.parse`.
  public static func parse(_ text: Text) throws(JSONError) -> JSONValue {
    try JSONDocument.parse(Array(text.utf8)).root
  }

  var node: JSONNode { document.nodes[index] }

  /// The type of the value.
  public var kind: Kind {
    switch node.kind {
    case .object: .object
    case .array: .array
    case .string: .string
    case .integer: .integer
    case .double: .double
    case .bool: .bool
    case .null: .null
    }
  }

  /// The exact source bytes of the value, quotes and inner white space included.
  public var raw: ArraySlice<UInt8> {
    let node = node
    return document.bytes[node.start..<node.end]
  }

  /// Finds a member of an object; nil if there is none or this is no object. Of a repeated key the last one counts.
  public subscript(_ key: Text) -> JSONValue? {
    let container = node
    guard container.kind == .object, container.next > index + 1 else { return nil }
    var name = key.string
    return name.withUTF8 { find($0, end: container.next) }
  }

  private func find(_ key: UnsafeBufferPointer<UInt8>, end: Int) -> JSONValue? {
    let found = document.bytes.withUnsafeBufferPointer { bytes in
      document.nodes.withReader { $0.lastMember(key, from: index + 1, to: end, in: bytes) }
    }
    return found.map { JSONValue(document: document, index: $0) }
  }

  /// Returns an element of an array by position; nil if out of range or this is no array. Costs time in proportion to
  /// the position.
  public subscript(_ position: Int) -> JSONValue? {
    guard position >= 0, let elements else { return nil }
    var iterator = elements.makeIterator()
    for _ in 0..<position where iterator.next() == nil {
      return nil
    }
    return iterator.next()
  }

  /// The text of a string, decoded; nil for every other type.
  public var string: Text? {
    let node = node
    guard node.kind == .string else { return nil }
    return document.bytes.withUnsafeBufferPointer { bytes in
      let text = UnsafeBufferPointer(rebasing: bytes[node.start + 1..<node.end - 1])
      guard node.hasEscapes else { return Text(decoding: text, as: UTF8.self) }
      var decoded: [UInt8] = []
      decoded.reserveCapacity(text.count)
      JSONText.unescape(text, into: &decoded)
      return Text(decoding: decoded, as: UTF8.self)
    }
  }

  /// The bytes of a string that is written without escapes; nil for every other value.
  var unescapedBytes: ArraySlice<UInt8>? {
    let node = node
    guard node.kind == .string, !node.hasEscapes else { return nil }
    return document.bytes[node.start + 1..<node.end - 1]
  }

  /// A number written without fraction and exponent that fits 64 bits; nil for everything else.
  public var integer: Int64? {
    guard node.kind == .integer else { return nil }
    return raw.withUnsafeBufferPointer { JSONText.integer($0) }
  }

  /// The value of any number as a double, integers included.
  public var double: Double? {
    let kind = node.kind
    guard kind == .integer || kind == .double else { return nil }
    return raw.withUnsafeBufferPointer { JSONText.double($0) }
  }

  /// The value of a boolean.
  public var bool: Bool? {
    let node = node
    guard node.kind == .bool else { return nil }
    return document.bytes[node.start] == UInt8(ascii: "t")
  }

  /// Whether the value is `null`.
  public var isNull: Bool { node.kind == .null }

  /// Returns whether the value is a string of exactly this text, without building a string from it.
  public func isString(_ text: Text) -> Bool {
    let node = node
    guard node.kind == .string else { return false }
    if node.hasEscapes { return string == text }
    return text.withBytes { wanted in
      document.bytes.withUnsafeBufferPointer { bytes in
        ByteOrder.areEqual(UnsafeBufferPointer(rebasing: bytes[node.start + 1..<node.end - 1]), wanted)
      }
    }
  }

  /// A copy of the value outside its document.
  public var json: JSON { JSON(self) }
}
