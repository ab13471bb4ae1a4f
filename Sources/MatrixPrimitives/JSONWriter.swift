/// A writer of JSON without white space into a byte array, which puts in the commas by itself.
///
/// The caller keeps the order: inside an object a `key` comes before each value. `member` does both.
public struct JSONWriter: Sendable {
  /// What has been written so far.
  public private(set) var bytes: [UInt8] = []
  private var needsComma = false

  /// A copy of what has been written, without spare room, for what is kept for long.
  public var exactBytes: [UInt8] { bytes.withUnsafeBufferPointer { Array($0) } }

  /// Creates an empty writer.
  /// - Parameter capacity: how many bytes to make room for at once.
  public init(capacity: Int = 256) {
    bytes.reserveCapacity(capacity)
  }

  /// Opens an object.
  public mutating func beginObject() {
    separate()
    bytes.append(UInt8(ascii: "{"))
    needsComma = false
  }

  /// Closes the innermost object.
  public mutating func endObject() {
    bytes.append(UInt8(ascii: "}"))
    needsComma = true
  }

  /// Opens an array.
  public mutating func beginArray() {
    separate()
    bytes.append(UInt8(ascii: "["))
    needsComma = false
  }

  /// Closes the innermost array.
  public mutating func endArray() {
    bytes.append(UInt8(ascii: "]"))
    needsComma = true
  }

  /// Writes the key of the next value, escaped.
  public mutating func key(_ key: Text) {
    separate()
    JSONText.appendQuoted(key, to: &bytes)
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  /// Writes the key of the next value, which must not need escaping.
  public mutating func key(_ key: StaticString) {
    separate()
    bytes.append(UInt8(ascii: "\""))
    key.withUTF8Buffer { bytes.append(contentsOf: $0) }
    bytes.append(UInt8(ascii: "\""))
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  /// Writes a string, escaped.
  public mutating func value(_ value: Text) {
    separate()
    JSONText.appendQuoted(value, to: &bytes)
    needsComma = true
  }

  /// Writes an integer.
  public mutating func value(_ value: Int64) {
    separate()
    JSONText.append(value, to: &bytes)
    needsComma = true
  }

  /// Writes an integer.
  public mutating func value(_ value: Int) {
    self.value(Int64(value))
  }

  /// Writes a double as Python prints it; one that is not finite becomes `null`.
  public mutating func value(_ value: Double) {
    separate()
    JSONText.append(value, to: &bytes)
    needsComma = true
  }

  /// Writes a boolean.
  public mutating func value(_ value: Bool) {
    separate()
    bytes.append(contentsOf: value ? "true".utf8 : "false".utf8)
    needsComma = true
  }

  /// Writes `null`.
  public mutating func null() {
    separate()
    bytes.append(contentsOf: "null".utf8)
    needsComma = true
  }

  /// Writes a tree.
  public mutating func value(_ value: JSON) {
    switch value {
    case .null: null()
    case .bool(let bool): self.value(bool)
    case .integer(let integer): self.value(integer)
    case .double(let double): self.value(double)
    case .string(let string): self.value(string)
    case .array(let elements):
      beginArray()
      for element in elements { self.value(element) }
      endArray()
    case .object(let members):
      beginObject()
      for (key, member) in members { self.member(key, member) }
      endObject()
    }
  }

  /// Copies a parsed value's source bytes.
  public mutating func value(_ value: JSONValue) {
    raw(value.raw)
  }

  /// Writes an identifier as a string.
  public mutating func value(_ value: some MatrixIdentifier) {
    self.value(value.rawValue)
  }

  /// Copies bytes that are one whole JSON value already.
  public mutating func raw(_ value: some Collection<UInt8>) {
    separate()
    bytes.append(contentsOf: value)
    needsComma = true
  }

  /// Copies bytes that are one whole JSON value already.
  public mutating func raw(_ value: [UInt8]) {
    separate()
    bytes.append(contentsOf: value)
    needsComma = true
  }

  /// Copies bytes that are one whole JSON value already.
  public mutating func raw(_ value: ArraySlice<UInt8>) {
    separate()
    bytes.append(contentsOf: value)
    needsComma = true
  }

  /// Copies bytes that are one or more members (`"a":1,"b":2`) already; nothing if there are none.
  public mutating func rawMembers(_ members: ArraySlice<UInt8>) {
    if !members.isEmpty { raw(members) }
  }

  /// Copies bytes that are one or more members (`"a":1,"b":2`) already; nothing if there are none.
  public mutating func rawMembers(_ members: some Collection<UInt8>) {
    guard !members.isEmpty else { return }
    raw(members)
  }

  private mutating func separate() {
    if needsComma { bytes.append(UInt8(ascii: ",")) }
  }
}
