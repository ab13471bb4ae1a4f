import CScan

/// A parser of JSON text into a flat tape: iterative, refusing everything RFC 8259 does not allow.
///
/// Pointers are only read at offsets that were compared with `count` before.
struct JSONTapeParser {
  private let base: UnsafePointer<UInt8>
  private let count: Int
  private let maximumDepth: Int
  private var offset = 0
  private var nodes: JSONTape
  private var open: [Int] = []

  /// Returns the tape of a whole text.
  static func parse(_ bytes: UnsafeBufferPointer<UInt8>, maximumDepth: Int) throws(JSONError) -> JSONTape {
    guard let base = bytes.baseAddress, !bytes.isEmpty else { throw JSONError(.notJSON) }
    guard bytes.count <= Int(Int32.max) else { throw JSONError(.tooLarge) }
    let valid = cscan_utf8_valid_prefix(base, bytes.count)
    guard valid == bytes.count else { throw JSONError(.notUTF8, offset: valid) }
    var parser = JSONTapeParser(base: base, count: bytes.count, maximumDepth: maximumDepth)
    try parser.run()
    return parser.nodes.exact
  }

  private init(base: UnsafePointer<UInt8>, count: Int, maximumDepth: Int) {
    self.base = base
    self.count = count
    self.maximumDepth = maximumDepth
    nodes = JSONTape(textSize: count, capacity: count / 14 + 4)
  }

  private mutating func run() throws(JSONError) {
    repeat {
      let opened = try readValue()
      if !opened {
        try closeFinished()
      }
    } while offset < count || !open.isEmpty
  }

  /// Reads one scalar or opens one container; true when a container was opened whose first value comes next.
  private mutating func readValue() throws(JSONError) -> Bool {
    switch try nextToken() {
    case UInt8(ascii: "{"):
      try openContainer(.object)
      if try nextToken() == UInt8(ascii: "}") { return finishContainer() }
      try readKey()
      return true
    case UInt8(ascii: "["):
      try openContainer(.array)
      if try nextToken() == UInt8(ascii: "]") { return finishContainer() }
      return true
    case UInt8(ascii: "\""): try readString()
    case UInt8(ascii: "t"): try readWord("true", .bool)
    case UInt8(ascii: "f"): try readWord("false", .bool)
    case UInt8(ascii: "n"): try readWord("null", .null)
    default: try readNumber()
    }
    return false
  }

  /// After a value: closes every container that ends here and moves past a comma to the next value, or to the end of the text.
  private mutating func closeFinished() throws(JSONError) {
    while let container = open.last {
      let isObject = nodes[container].kind == .object
      let token = try nextToken()
      if token == UInt8(ascii: ",") {
        offset += 1
        if isObject { try readKey() }
        return
      }
      guard token == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else { throw failure() }
      _ = finishContainer()
    }
    skipWhitespace()
    guard offset == count else { throw failure() }
  }

  private mutating func openContainer(_ kind: JSONNode.Kind) throws(JSONError) {
    guard open.count < maximumDepth else { throw JSONError(.tooDeep, offset: offset) }
    open.append(nodes.count)
    nodes.append(kind, start: offset, end: 0)
    offset += 1
  }

  private mutating func finishContainer() -> Bool {
    offset += 1
    if let container = open.popLast() { nodes.close(container, end: offset) }
    return false
  }

  private mutating func readKey() throws(JSONError) {
    guard try nextToken() == UInt8(ascii: "\"") else { throw failure() }
    try readString()
    guard try nextToken() == UInt8(ascii: ":") else { throw failure() }
    offset += 1
  }

  private mutating func readString() throws(JSONError) {
    let start = offset
    var hasEscapes = false
    offset += 1
    while true {
      offset = cscan_string_stop(base, offset, count)
      guard offset < count else { throw failure() }
      let byte = base[offset]
      if byte == UInt8(ascii: "\"") { break }
      guard byte == UInt8(ascii: "\\") else { throw failure() }
      hasEscapes = true
      try readEscape()
    }
    offset += 1
    append(.string, start: start, hasEscapes: hasEscapes)
  }

  private mutating func readEscape() throws(JSONError) {
    guard offset + 1 < count else { throw failure() }
    switch base[offset + 1] {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
      UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
      offset += 2
    case UInt8(ascii: "u"):
      let start = offset
      guard let unit = JSONText.hexUnit(base, at: offset + 2, count: count) else { throw failure() }
      offset += 6
      if (0xDC00...0xDFFF).contains(unit) { throw JSONError(.loneSurrogate, offset: start) }
      guard (0xD800...0xDBFF).contains(unit) else { return }
      guard offset + 1 < count, base[offset] == UInt8(ascii: "\\"), base[offset + 1] == UInt8(ascii: "u"),
        let low = JSONText.hexUnit(base, at: offset + 2, count: count), (0xDC00...0xDFFF).contains(low)
      else { throw JSONError(.loneSurrogate, offset: start) }
      offset += 6
    default: throw failure()
    }
  }

  private mutating func readWord(_ word: StaticString, _ kind: JSONNode.Kind) throws(JSONError) {
    let start = offset
    let length = word.utf8CodeUnitCount
    guard count - offset >= length else { throw failure() }
    for i in 0..<length where base[offset + i] != word.utf8Start[i] {
      throw failure()
    }
    offset += length
    append(kind, start: start)
  }

  private mutating func readNumber() throws(JSONError) {
    let start = offset
    var isInteger = true
    if peek() == UInt8(ascii: "-") { offset += 1 }
    if peek() == UInt8(ascii: "0") {
      offset += 1
    } else {
      try readDigits()
    }
    if peek() == UInt8(ascii: ".") {
      isInteger = false
      offset += 1
      try readDigits()
    }
    if peek() == UInt8(ascii: "e") || peek() == UInt8(ascii: "E") {
      isInteger = false
      offset += 1
      if peek() == UInt8(ascii: "+") || peek() == UInt8(ascii: "-") { offset += 1 }
      try readDigits()
    }
    let text = UnsafeBufferPointer(start: base + start, count: offset - start)
    if isInteger, JSONText.integer(text) != nil {
      append(.integer, start: start)
    } else {
      guard JSONText.double(text) != nil else { throw JSONError(.numberOutOfRange, offset: start) }
      append(.double, start: start)
    }
  }

  private mutating func readDigits() throws(JSONError) {
    let start = offset
    while let byte = peek(), byte &- UInt8(ascii: "0") < 10 { offset += 1 }
    guard offset > start else { throw failure() }
  }

  private mutating func append(_ kind: JSONNode.Kind, start: Int, hasEscapes: Bool = false) {
    nodes.append(kind, start: start, end: offset, hasEscapes: hasEscapes)
  }

  private func peek() -> UInt8? {
    offset < count ? base[offset] : nil
  }

  private mutating func nextToken() throws(JSONError) -> UInt8 {
    skipWhitespace()
    guard offset < count else { throw failure() }
    return base[offset]
  }

  private mutating func skipWhitespace() {
    while offset < count {
      let byte = base[offset]
      guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return }
      offset += 1
    }
  }

  private func failure() -> JSONError {
    JSONError(.notJSON, offset: offset)
  }
}
