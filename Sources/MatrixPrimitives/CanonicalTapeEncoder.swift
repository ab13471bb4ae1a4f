/// An encoder of one document's values into canonical form, which copies source slices wherever they are canonical
/// already.
///
/// Recursion is bounded by the depth the document was parsed with.
struct CanonicalTapeEncoder {
  let document: JSONDocument
  private let nodes: JSONTape
  let strict: Bool
  var output: [UInt8] = []
  /// The key nodes of the objects being written, innermost last; kept here so that an object does not allocate an array of its own.
  private var keys: [Int] = []

  init(document: JSONDocument, strict: Bool) {
    self.document = document
    nodes = document.nodes
    self.strict = strict
  }

  mutating func encodeRoot(_ index: Int, omitting: Set<Text>) throws(JSONError) {
    if nodes[index].kind == .object, !omitting.isEmpty {
      try encodeObject(index) { !omitting.contains($0.string ?? "") }
    } else {
      try encode(index)
    }
  }

  private mutating func encode(_ index: Int) throws(JSONError) {
    let node = nodes[index]
    switch node.kind {
    case .null, .bool: copy(node)
    case .string: appendString(node)
    case .integer: try appendInteger(node)
    case .double: try appendDouble(node)
    case .array: try encodeArray(index, node)
    case .object: try encodeObject(index, where: nil)
    }
  }

  private mutating func encodeArray(_ index: Int, _ node: JSONNode) throws(JSONError) {
    output.append(UInt8(ascii: "["))
    var child = index + 1
    while child < node.next {
      if child > index + 1 { output.append(UInt8(ascii: ",")) }
      try encode(child)
      child = nodes.next(after: child)
    }
    output.append(UInt8(ascii: "]"))
  }

  private mutating func encodeObject(_ index: Int, where isWanted: ((JSONValue) -> Bool)?) throws(JSONError) {
    let first = keys.count
    let end = nodes.next(after: index)
    var hasEscapes = false
    var child = index + 1
    while child < end {
      if isWanted?(JSONValue(document: document, index: child)) ?? true {
        keys.append(child)
        hasEscapes = hasEscapes || nodes[child].hasEscapes
      }
      child = nodes.next(after: child + 1)
    }
    try sortKeys(from: first, hasEscapes: hasEscapes)
    output.append(UInt8(ascii: "{"))
    for position in first..<keys.count {
      let key = keys[position]
      if position > first { output.append(UInt8(ascii: ",")) }
      appendString(nodes[key])
      output.append(UInt8(ascii: ":"))
      try encode(key + 1)
    }
    output.append(UInt8(ascii: "}"))
    keys.removeSubrange(first...)
  }

  /// Sorts the keys pushed since `first` by their decoded bytes and refuses equal ones.
  private mutating func sortKeys(from first: Int, hasEscapes: Bool) throws(JSONError) {
    guard keys.count - first > 1 else { return }
    if hasEscapes {
      let decoded = keys[first...].map { key in
        (key: key, text: JSONValue(document: document, index: key).string ?? "")
      }
      let sorted = decoded.sorted { $0.text < $1.text }
      keys.replaceSubrange(first..., with: sorted.map(\.key))
      for (left, right) in zip(sorted, sorted.dropFirst()) where left.text == right.text {
        throw JSONError(.duplicateKey, offset: nodes[right.key].start)
      }
      return
    }
    if try isSorted(from: first) { return }
    let source = document
    keys[first...].sort { Self.compare(source, $0, $1) < 0 }
    guard try isSorted(from: first) else { throw JSONError(.duplicateKey) }
  }

  /// Returns whether the keys ascend; equal neighbours are refused at once.
  private func isSorted(from first: Int) throws(JSONError) -> Bool {
    for position in (first + 1)..<keys.count {
      let order = Self.compare(document, keys[position - 1], keys[position])
      if order == 0 { throw JSONError(.duplicateKey, offset: nodes[keys[position]].start) }
      if order > 0 { return false }
    }
    return true
  }

  private static func compare(_ document: JSONDocument, _ a: Int, _ b: Int) -> Int {
    let first = document.nodes[a]
    let second = document.nodes[b]
    return document.bytes.withUnsafeBufferPointer { bytes in
      ByteOrder.compare(
        UnsafeBufferPointer(rebasing: bytes[first.start + 1..<first.end - 1]),
        UnsafeBufferPointer(rebasing: bytes[second.start + 1..<second.end - 1]))
    }
  }

  private mutating func copy(_ node: JSONNode) {
    output.append(contentsOf: document.bytes[node.start..<node.end])
  }

  private mutating func appendString(_ node: JSONNode) {
    guard node.hasEscapes else {
      copy(node)
      return
    }
    var decoded: [UInt8] = []
    document.bytes[node.start + 1..<node.end - 1].withUnsafeBufferPointer {
      JSONText.unescape($0, into: &decoded)
    }
    decoded.withUnsafeBufferPointer { JSONText.appendQuoted($0, to: &output) }
  }

  private mutating func appendInteger(_ node: JSONNode) throws(JSONError) {
    let integer = document.bytes[node.start..<node.end].withUnsafeBufferPointer { JSONText.integer($0) }
    try CanonicalJSON.append(integer ?? 0, strict: strict, offset: node.start, to: &output)
  }

  private mutating func appendDouble(_ node: JSONNode) throws(JSONError) {
    let text = document.bytes[node.start..<node.end]
    let isWhole = text.allSatisfy { $0 != UInt8(ascii: ".") && $0 | 0x20 != UInt8(ascii: "e") }
    if isWhole, !strict {
      // An integer beyond 64 bits: Python keeps every digit of it.
      copy(node)
      return
    }
    guard let double = text.withUnsafeBufferPointer({ JSONText.double($0) }) else {
      throw JSONError(.numberOutOfRange, offset: node.start)
    }
    try CanonicalJSON.append(double, strict: strict, offset: node.start, to: &output)
  }
}
