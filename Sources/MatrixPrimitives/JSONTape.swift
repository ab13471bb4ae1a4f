/// One value (or key) of a parsed document: where its text lies and where the next sibling is on the tape.
struct JSONNode {
  enum Kind: UInt8 {
    case object, array, string, integer, double, bool, null
  }

  /// The first byte of the text; a string's opening quote.
  let start: Int
  /// One past the last byte of the text.
  let end: Int
  /// The tape index after this value and everything inside it.
  let next: Int
  let kind: Kind
  /// Whether the string has at least one backslash.
  let hasEscapes: Bool
}

/// The nodes of a document: an object's is followed by key, value, key, value …; an array's by its elements.
///
/// A node takes eight bytes when the text is shorter than 64 KiB, as every event is, and else sixteen: many events are kept in
/// memory, and their tapes with them. There are never more nodes than bytes, so what bounds the offsets bounds the indices.
struct JSONTape: Sendable {
  /// Start, end and next of 16 bits each and the mark; or start and end of 32 bits each, then next and the mark.
  private var words: [UInt64] = []
  private let isWide: Bool

  /// Makes an empty tape.
  ///
  /// - Parameters:
  ///   - textSize: the length of the text, at most 2^31 − 1 bytes.
  ///   - capacity: how many nodes to make room for at once.
  init(textSize: Int, capacity: Int) {
    isWide = textSize > Int(UInt16.max)
    words.reserveCapacity(isWide ? capacity * 2 : capacity)
  }

  private init(exactly other: JSONTape) {
    isWide = other.isWide
    words = other.words.withUnsafeBufferPointer { Array($0) }
  }

  /// A copy without spare room.
  var exact: JSONTape { JSONTape(exactly: self) }

  /// The number of nodes.
  var count: Int { isWide ? words.count / 2 : words.count }

  /// Adds a value that holds no others, or a container that has not ended yet.
  mutating func append(_ kind: JSONNode.Kind, start: Int, end: Int, hasEscapes: Bool = false) {
    let mark = UInt64(kind.rawValue) << 1 | (hasEscapes ? 1 : 0)
    let (start, end, next) = (UInt64(start), UInt64(end), UInt64(count + 1))
    if isWide {
      words.append(start << 32 | end)
      words.append(next << 32 | mark)
    } else {
      words.append(start << 48 | end << 32 | next << 16 | mark)
    }
  }

  /// Ends a container behind the last node.
  mutating func close(_ index: Int, end: Int) {
    let (end, next) = (UInt64(end), UInt64(count))
    if isWide {
      words[index * 2] = words[index * 2] & 0xFFFF_FFFF_0000_0000 | end
      words[index * 2 + 1] = next << 32 | words[index * 2 + 1] & 0xFFFF_FFFF
    } else {
      words[index] = words[index] & 0xFFFF_0000_0000_FFFF | end << 32 | next << 16
    }
  }

  @inline(__always)
  subscript(_ index: Int) -> JSONNode {
    precondition(index < count)
    return withReader { $0[index] }
  }

  /// Returns the index after a value and everything inside it.
  @inline(__always)
  func next(after index: Int) -> Int { self[index].next }

  /// Returns whether one of some nodes is of a kind.
  func contains(_ kind: JSONNode.Kind, in range: Range<Int>) -> Bool { range.contains { self[$0].kind == kind } }

  /// Reads nodes that are known to be there.
  @inline(__always)
  func withReader<Result>(_ body: (JSONTapeReader) -> Result) -> Result {
    words.withUnsafeBufferPointer { body(JSONTapeReader(words: $0, isWide: isWide)) }
  }
}

/// A reader of a tape's nodes at indices that the tape itself gives.
struct JSONTapeReader {
  fileprivate let words: UnsafeBufferPointer<UInt64>
  fileprivate let isWide: Bool

  @inline(__always)
  subscript(_ index: Int) -> JSONNode {
    if isWide { return wide(index) }
    let word = words[index]
    return JSONNode(
      start: Int(truncatingIfNeeded: word >> 48), end: Int(truncatingIfNeeded: word >> 32 & 0xFFFF),
      next: Int(truncatingIfNeeded: word >> 16 & 0xFFFF), kind: Self.kind(word), hasEscapes: word & 1 == 1)
  }

  private func wide(_ index: Int) -> JSONNode {
    let (text, rest) = (words[index * 2], words[index * 2 + 1])
    return JSONNode(
      start: Int(truncatingIfNeeded: text >> 32), end: Int(truncatingIfNeeded: text & 0xFFFF_FFFF),
      next: Int(truncatingIfNeeded: rest >> 32), kind: Self.kind(rest), hasEscapes: rest & 1 == 1)
  }

  @inline(__always)
  private static func kind(_ word: UInt64) -> JSONNode.Kind {
    JSONNode.Kind(rawValue: UInt8(truncatingIfNeeded: word >> 1 & 7)) ?? .null
  }

  /// Finds the last member with a key among the members between two indices; gives the index of its value.
  func lastMember(
    _ key: UnsafeBufferPointer<UInt8>, from first: Int, to end: Int, in bytes: UnsafeBufferPointer<UInt8>
  ) -> Int? {
    var found: Int?
    var child = first
    while child < end {
      let name = self[child]
      if name.hasEscapes {
        var decoded: [UInt8] = []
        JSONText.unescape(UnsafeBufferPointer(rebasing: bytes[name.start + 1..<name.end - 1]), into: &decoded)
        if decoded.elementsEqual(key) { found = child + 1 }
      } else if name.end - name.start - 2 == key.count,
        ByteOrder.areEqual(UnsafeBufferPointer(rebasing: bytes[name.start + 1..<name.end - 1]), key)
      {
        found = child + 1
      }
      child = self[child + 1].next
    }
    return found
  }
}
