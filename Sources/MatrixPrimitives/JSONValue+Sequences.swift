/// The elements of an array.
public struct JSONElements: Sequence, Sendable {
  let array: JSONValue

  /// The number of elements, found by walking over them.
  public var count: Int {
    var count = 0
    for _ in self { count += 1 }
    return count
  }

  /// Whether there is no element.
  public var isEmpty: Bool { array.node.next == array.index + 1 }

  /// The walk along the tape from one element to the next.
  public struct Iterator: IteratorProtocol {
    let document: JSONDocument
    var index: Int
    let end: Int

    /// Moves to the next one; nil at the end.
    public mutating func next() -> JSONValue? {
      guard index < end else { return nil }
      defer { index = document.nodes.next(after: index) }
      return JSONValue(document: document, index: index)
    }
  }

  /// Starts at the first one.
  public func makeIterator() -> Iterator {
    Iterator(document: array.document, index: array.index + 1, end: array.node.next)
  }
}

/// The members of an object in the order of the source, repeated keys included.
public struct JSONMembers: Sequence, Sendable {
  let object: JSONValue

  /// The number of members, found by walking over them.
  public var count: Int {
    var count = 0
    var iterator = makeIterator()
    while iterator.advance() != nil { count += 1 }
    return count
  }

  /// Whether there is no member.
  public var isEmpty: Bool { object.node.next == object.index + 1 }

  /// The keys as values, so that none is decoded that is not asked for.
  public var keys: some Sequence<JSONValue> {
    sequence(state: makeIterator()) { iterator in
      iterator.advance().map { JSONValue(document: iterator.document, index: $0) }
    }
  }

  /// Each member with the source bytes of key, colon and value together, for splicing into other JSON.
  public var slices: some Sequence<(key: JSONValue, value: JSONValue, raw: ArraySlice<UInt8>)> {
    sequence(state: makeIterator()) { iterator in
      guard let index = iterator.advance() else { return nil }
      let document = iterator.document
      let range = document.nodes[index].start..<document.nodes[index + 1].end
      return (
        JSONValue(document: document, index: index), JSONValue(document: document, index: index + 1),
        document.bytes[range]
      )
    }
  }

  /// The walk along the tape from one member to the next.
  public struct Iterator: IteratorProtocol {
    let document: JSONDocument
    var index: Int
    let end: Int

    /// Returns the tape index of the next key.
    mutating func advance() -> Int? {
      guard index < end else { return nil }
      let key = index
      index = document.nodes.next(after: index + 1)
      return key
    }

    /// Moves to the next one; nil at the end.
    public mutating func next() -> (key: Text, value: JSONValue)? {
      guard let key = advance() else { return nil }
      return (
        JSONValue(document: document, index: key).string ?? "", JSONValue(document: document, index: key + 1)
      )
    }
  }

  /// Starts at the first one.
  public func makeIterator() -> Iterator {
    Iterator(document: object.document, index: object.index + 1, end: object.node.next)
  }
}

extension JSONValue {
  /// The elements of an array; nil for every other type.
  public var elements: JSONElements? {
    node.kind == .array ? JSONElements(array: self) : nil
  }

  /// The members of an object; nil for every other type.
  public var members: JSONMembers? {
    node.kind == .object ? JSONMembers(object: self) : nil
  }

  /// Returns whether a value is or holds, at any depth, a number that is written with a fraction or an exponent or does
  /// not fit 64 bits.
  /// - Parameter key: a member of an object that is not looked at; nil to look at all.
  public func containsNonIntegers(outside key: Text? = nil) -> Bool {
    let end = node.next
    guard node.kind == .object else { return document.nodes.contains(.double, in: index..<end) }
    var child = index + 1
    while child < end {
      let next = document.nodes.next(after: child + 1)
      let isDouble = document.nodes.contains(.double, in: (child + 1)..<next)
      let isOutside = key.map { JSONValue(document: document, index: child).isString($0) } ?? false
      if isDouble, !isOutside { return true }
      child = next
    }
    return false
  }
}
