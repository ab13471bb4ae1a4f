import MatrixPrimitives
import Stores

/// A place in the list of published rooms. Its text is opaque to clients and Synapse's: base64 of a MessagePack map with the number of
/// members `m`, the room `r`, and whether the page lies forwards `d`.
struct ListPosition: Equatable {
  let joinedMembers: Int64
  let roomID: Text
  let isForward: Bool

  /// The place behind the last room, from where one can only go back.
  static let end = ListPosition(joinedMembers: 0, roomID: "", isForward: false)

  init(joinedMembers: Int64, roomID: Text, isForward: Bool) {
    (self.joinedMembers, self.roomID, self.isForward) = (joinedMembers, roomID, isForward)
  }

  init(_ room: PublicRoomStore.Entry, isForward: Bool) {
    self.init(joinedMembers: room.joinedMembers, roomID: room.roomID.rawValue, isForward: isForward)
  }

  /// The bound for the store.
  var bound: PublicRoomStore.Bound { PublicRoomStore.Bound(joinedMembers: joinedMembers, roomID: roomID) }

  /// Reads a text.
  ///
  /// - Throws: `MatrixError` 400 for what is none.
  init(_ text: Text) throws(MatrixError) {
    guard let bytes = UnpaddedBase64.decode(text), let read = Self.read(bytes) else {
      throw .invalidParam("Invalid since token")
    }
    self = read
  }

  private static func read(_ bytes: [UInt8]) -> ListPosition? {
    var reader = MessagePackReader(bytes)
    guard reader.next() == 0x83 else { return nil }
    var (members, room, isForward): (Int64?, Text?, Bool?)
    for _ in 0..<3 {
      switch reader.text() {
      case "m": members = reader.integer()
      case "r": room = reader.text()
      case "d": isForward = reader.bool()
      default: return nil
      }
    }
    // PostgreSQL takes no U+0000.
    guard reader.isAtEnd, let members, let room, let isForward, !room.contains(0) else { return nil }
    return ListPosition(joinedMembers: members, roomID: room, isForward: isForward)
  }

  /// The text.
  var text: Text {
    var bytes: [UInt8] = [0x83]
    Self.append("m", to: &bytes)
    bytes.append(0xcf)
    withUnsafeBytes(of: UInt64(max(joinedMembers, 0)).bigEndian) { bytes.append(contentsOf: $0) }
    Self.append("r", to: &bytes)
    Self.append(roomID, to: &bytes)
    Self.append("d", to: &bytes)
    bytes.append(isForward ? 0xc3 : 0xc2)
    return UnpaddedBase64.encode(bytes)
  }

  private static func append(_ text: Text, to bytes: inout [UInt8]) {
    let count = text.utf8.count
    if count < 32 {
      bytes.append(0xa0 | UInt8(truncatingIfNeeded: count))
    } else {
      bytes += [0xda, UInt8(truncatingIfNeeded: count >> 8), UInt8(truncatingIfNeeded: count)]
    }
    bytes.append(contentsOf: text.utf8)
  }
}

/// The few types of MessagePack that a ``ListPosition`` has; each reading gives nil where something else stands.
private struct MessagePackReader {
  private var rest: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) { rest = bytes[...] }

  var isAtEnd: Bool { rest.isEmpty }

  mutating func next() -> UInt8? { rest.popFirst() }

  private mutating func number(bytes: Int) -> UInt64? {
    guard rest.count >= bytes else { return nil }
    var value: UInt64 = 0
    for _ in 0..<bytes { value = value << 8 | UInt64(rest.removeFirst()) }
    return value
  }

  mutating func integer() -> Int64? {
    guard let kind = next() else { return nil }
    let widths: [UInt8: Int] = [0xcc: 1, 0xcd: 2, 0xce: 4, 0xcf: 8]
    if kind < 0x80 { return Int64(kind) }
    return widths[kind].flatMap { number(bytes: $0) }.flatMap { Int64(exactly: $0) }
  }

  mutating func bool() -> Bool? {
    switch next() {
    case 0xc2: false
    case 0xc3: true
    default: nil
    }
  }

  mutating func text() -> Text? {
    guard let kind = next() else { return nil }
    let count: Int
    switch kind {
    case 0xa0...0xbf: count = Int(kind & 0x1f)
    case 0xd9: count = number(bytes: 1).map { Int($0) } ?? .max
    case 0xda: count = number(bytes: 2).map { Int($0) } ?? .max
    default: return nil
    }
    guard count <= rest.count else { return nil }
    defer { rest = rest.dropFirst(count) }
    return Text(validating: rest.prefix(count), as: UTF8.self)
  }
}
