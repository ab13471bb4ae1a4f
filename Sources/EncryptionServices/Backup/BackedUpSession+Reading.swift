import MatrixPrimitives
import Stores

extension BackedUpSession {
  /// Reads the sessions of `{"rooms": {…: {"sessions": {…}}}}`. Of a repeated key the last one counts.
  ///
  /// - Throws: 400 when something is missing or of a wrong type, 413 when the keys of a session are too large.
  static func all(in body: JSONValue) throws(MatrixError) -> [BackedUpSession] {
    guard let rooms = try body.requireObject("rooms").members else { return [] }
    var last: [Text: JSONValue] = [:]
    for (room, value) in rooms { last[room] = value }
    var sessions: [BackedUpSession] = []
    for (room, value) in last { sessions += try all(of: room, in: value) }
    return sessions
  }

  /// Reads the sessions of `{"sessions": {…}}`.
  ///
  /// - Throws: as ``all(in:)``.
  static func all(of room: Text, in body: JSONValue) throws(MatrixError) -> [BackedUpSession] {
    try KeyBackupService.check(room, "The room ID")
    guard let members = try body.requireObject("sessions").members else { return [] }
    var last: [Text: JSONValue] = [:]
    for (session, value) in members { last[session] = value }
    var sessions: [BackedUpSession] = []
    sessions.reserveCapacity(last.count)
    for (session, value) in last { sessions.append(try BackedUpSession(room: room, session: session, value)) }
    return sessions
  }

  /// Reads one session.
  ///
  /// - Throws: as ``all(in:)``.
  init(room: Text, session: Text, _ body: JSONValue) throws(MatrixError) {
    try KeyBackupService.check(room, "The room ID")
    try KeyBackupService.check(session, "The session ID")
    guard let isVerified = body["is_verified"] else { throw .missingParam("Missing parameter: is_verified") }
    guard let isVerified = isVerified.bool else {
      throw .invalidParam("is_verified must be a boolean in keys for session \(session) in room \(room)")
    }
    // Any JSON, as on Synapse: what it is concerns clients alone.
    guard let data = body["session_data"] else { throw .missingParam("Missing parameter: session_data") }
    try KeyBackupService.check(data)
    self.init(
      roomID: room, sessionID: session, firstMessageIndex: try Self.count("first_message_index", body),
      forwardedCount: try Self.count("forwarded_count", body), isVerified: isVerified, data: Array(data.raw))
  }

  private static func count(_ key: Text, _ body: JSONValue) throws(MatrixError) -> Int32 {
    guard let count = Int32(exactly: try body.requireInteger(key)) else {
      throw .invalidParam("'\(key)' must have 32 bits")
    }
    return count
  }
}
