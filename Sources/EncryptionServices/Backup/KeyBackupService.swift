import MatrixPrimitives
import Stores

/// Backups of the keys of encrypted rooms, which are encrypted themselves.
///
/// Everything is decided in the database, so any process answers.
/// https://spec.matrix.org/v1.16/client-server-api/#server-side-key-backups
public final class KeyBackupService: Sendable {
  private let store: KeyBackupStore

  /// The longest room or session ID and name of an algorithm, in bytes.
  private static let longestName = 255
  /// The largest keys of one session and the largest description of a backup's key, in bytes.
  private static let largestData = 65_536
  init(store: KeyBackupStore) { self.store = store }

  // MARK: Versions

  /// Reads a version.
  ///
  /// - Parameter text: as the client names it; nil for the current one.
  /// - Throws: 404 when there is none.
  public func version(_ text: Text?, of user: UserID) async throws -> KeyBackupVersion {
    let number = try text.map { try Self.number($0) }
    guard let version = try await store.version(number, of: user) else { throw Self.noBackup }
    return version
  }

  /// Makes a version, which becomes the current one.
  ///
  /// - Parameter body: `algorithm` and `auth_data`.
  /// - Returns: its name.
  /// - Throws: 400 when something is missing or of a wrong type, 413 when it is too large.
  public func create(_ body: JSONValue, of user: UserID) async throws -> Text {
    let (algorithm, authData) = (try Self.algorithm(in: body), try body.requireObject("auth_data"))
    try Self.check(authData)
    return Text(try await store.addVersion(algorithm: algorithm, authData: Array(authData.raw), of: user))
  }

  /// Replaces what a version says of its key.
  ///
  /// - Parameters:
  ///   - text: as the client names it.
  ///   - body: `algorithm`, which has to be the version's, `auth_data` and perhaps `version`.
  /// - Throws: 404 when there is none, 400 `M_INVALID_PARAM` when version or algorithm are others.
  public func update(_ text: Text, _ body: JSONValue, of user: UserID) async throws {
    if let named = try body.optionalString("version"), named != text {
      throw MatrixError.invalidParam("Version in body does not match")
    }
    let (algorithm, authData) = (try Self.algorithm(in: body), try body.optionalObject("auth_data"))
    if let authData { try Self.check(authData) }
    try await store.updateVersion(
      try Self.number(text), algorithm: algorithm, authData: authData.map { Array($0.raw) }, of: user)
  }

  /// Deletes a version with its keys.
  ///
  /// - Throws: 404 when the user never had it.
  public func delete(_ text: Text, of user: UserID) async throws {
    try await store.deleteVersion(try Self.number(text), of: user)
  }

  // MARK: Keys

  /// Adds sessions to the current version, where they are better than those that it has.
  ///
  /// - Parameters:
  ///   - part: what the body is about.
  ///   - body: rooms with their sessions, the sessions of a room, or a session.
  /// - Throws: 400 when something is missing or of a wrong type, 404 when there is no such version, 403 `M_WRONG_ROOM_KEYS_VERSION` when it is
  ///   not the current one.
  public func add(
    _ part: KeyBackupPart, _ body: JSONValue, to version: Text, of user: UserID
  ) async throws -> KeyBackupContents {
    let sessions =
      switch (part.room, part.session) {
      case (nil, _): try BackedUpSession.all(in: body)
      case (let room?, nil): try BackedUpSession.all(of: room, in: body)
      case (let room?, let session?): [try BackedUpSession(room: room, session: session, body)]
      }
    return try await store.add(sessions, to: try Self.number(version), of: user)
  }

  /// Deletes sessions.
  ///
  /// - Throws: 404 when there is no such version.
  public func delete(_ part: KeyBackupPart, from version: Text, of user: UserID) async throws -> KeyBackupContents {
    try await store.delete(from: try Self.number(version), room: part.room, session: part.session, of: user)
  }

  /// Begins to read sessions, all or those of a room.
  ///
  /// - Throws: 404 when there is no such version.
  public func sessions(_ part: KeyBackupPart, in version: Text, of user: UserID) async throws -> KeyBackupAnswer {
    let number = try Self.number(version)
    guard try await store.hasVersion(number, of: user) else { throw Self.noBackup }
    return KeyBackupAnswer(store: store, version: number, room: part.room, user: user)
  }

  /// Reads one session, as JSON.
  ///
  /// - Throws: 404 when there is no such version or session.
  public func session(_ part: KeyBackupPart, in version: Text, of user: UserID) async throws -> [UInt8] {
    let number = try Self.number(version)
    guard try await store.hasVersion(number, of: user) else { throw Self.noBackup }
    let found = try await store.sessions(in: number, room: part.room, session: part.session, limit: 1, of: user)
    guard let session = found.first else { throw MatrixError.notFound("No room_keys found") }
    return session.json
  }

  // MARK: Checks

  private static let noBackup = MatrixError.notFound("No backup found")

  /// Reads a version's name: a number in its shortest form.
  private static func number(_ text: Text) throws(MatrixError) -> Int64 {
    guard let number = Int64(text), Text(number) == text else { throw noBackup }
    return number
  }

  private static func algorithm(in body: JSONValue) throws(MatrixError) -> Text {
    let algorithm = try body.requireString("algorithm")
    try check(algorithm, "The algorithm")
    return algorithm
  }

  static func check(_ name: Text, _ what: Text) throws(MatrixError) {
    guard name.utf8.count <= longestName, !name.utf8.contains(0) else {
      throw .invalidParam("\(what) is too long or has a null character")
    }
  }

  static func check(_ data: JSONValue) throws(MatrixError) {
    guard data.raw.count <= largestData else {
      throw .tooLarge("The data is too large (\(data.raw.count) bytes > \(largestData) bytes)")
    }
  }
}

/// The part of a backup that a request is about.
public struct KeyBackupPart: Sendable {
  /// The room; nil for all.
  let room: Text?
  /// The session; nil for all.
  let session: Text?

  /// Names a part.
  ///
  /// - Throws: 400 when a name is too long.
  public init(room: Text?, session: Text?) throws(MatrixError) {
    if let room { try KeyBackupService.check(room, "The room ID") }
    if let session { try KeyBackupService.check(session, "The session ID") }
    self.room = room
    self.session = session
  }
}
