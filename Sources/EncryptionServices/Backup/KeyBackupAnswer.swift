import MatrixPrimitives
import Stores

/// The sessions of a backup as JSON, read and written in pieces, so that a large backup is never in memory as a whole.
public struct KeyBackupAnswer: Sendable {
  /// The number of sessions of a piece.
  private static let size = 500

  private let store: KeyBackupStore
  private let version: Int64
  private let room: Text?
  private let user: UserID
  private var last: BackedUpSession?
  /// Whether the last piece has been made.
  public private(set) var isComplete = false

  init(store: KeyBackupStore, version: Int64, room: Text?, user: UserID) {
    self.store = store
    self.version = version
    self.room = room
    self.user = user
  }

  /// Makes the next piece; nothing more after the last one.
  public mutating func next() async throws -> [UInt8] {
    guard !isComplete else { return [] }
    let sessions = try await store.sessions(
      in: version, room: room, session: nil, after: last, limit: Self.size, of: user)
    var piece: [UInt8] = []
    if last == nil { piece.append(contentsOf: room == nil ? #"{"rooms":{"#.utf8 : #"{"sessions":{"#.utf8) }
    for session in sessions { write(session, to: &piece) }
    isComplete = sessions.count < Self.size
    if isComplete { piece.append(contentsOf: room != nil ? "}}".utf8 : last == nil ? "}}".utf8 : "}}}}".utf8) }
    return piece
  }

  private mutating func write(_ session: BackedUpSession, to piece: inout [UInt8]) {
    defer { last = session }
    let isFollowing = last?.roomID == session.roomID
    if isFollowing || (room != nil && last != nil) {
      piece.append(UInt8(ascii: ","))
    } else if room == nil {
      if last != nil { piece.append(contentsOf: "}},".utf8) }
      piece.append(contentsOf: JSON.string(session.roomID).encoded)
      piece.append(contentsOf: #":{"sessions":{"#.utf8)
    }
    piece.append(contentsOf: JSON.string(session.sessionID).encoded)
    piece.append(UInt8(ascii: ":"))
    piece.append(contentsOf: session.json)
  }
}

extension BackedUpSession {
  /// The session as clients get it.
  var json: [UInt8] {
    var writer = JSONWriter(capacity: data.count + 128)
    writer.beginObject()
    writer.member("first_message_index", Int64(firstMessageIndex))
    writer.member("forwarded_count", Int64(forwardedCount))
    writer.member("is_verified", isVerified)
    writer.key("session_data" as StaticString)
    writer.raw(data)
    writer.endObject()
    return writer.bytes
  }
}

extension KeyBackupContents {
  /// Writes the members `etag` and `count`.
  public func writeMembers(to writer: inout JSONWriter) {
    writer.member("etag", Text(etag))
    writer.member("count", count)
  }
}

extension KeyBackupVersion {
  /// Writes the version as clients get it.
  public func write(to writer: inout JSONWriter) {
    writer.object {
      $0.member("version", Text(number))
      $0.member("algorithm", algorithm)
      $0.key("auth_data" as StaticString)
      $0.raw(authData)
      contents.writeMembers(to: &$0)
    }
  }
}
