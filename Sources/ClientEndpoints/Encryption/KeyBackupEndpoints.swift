import EncryptionServices
import EndpointKit
import MatrixPrimitives

/// Backups of the keys of encrypted rooms.
package struct KeyBackupEndpoints: Sendable {
  private let backups: KeyBackupService

  /// Makes the family.
  package init(backups: KeyBackupService) { self.backups = backups }

  /// The operations of the family.
  package var family: EndpointFamily { EndpointFamily("key-backup", versions + keys) }

  private var versions: [Endpoint] {
    [
      .post("postRoomKeysVersion", Self.current, as: User.self, limited: true, to: createVersion),
      .get("getRoomKeysVersionCurrent", Self.current, as: User.self, limited: true, to: version),
      .get("getRoomKeysVersion", Self.version, as: User.self, limited: true, to: version),
      .put("putRoomKeysVersion", Self.version, as: User.self, to: updateVersion),
      .delete("deleteRoomKeysVersion", Self.version, as: User.self, to: deleteVersion),
    ]
  }

  private var keys: [Endpoint] {
    [
      .put("putRoomKeys", Self.allKeys, as: User.self, limited: true, to: putKeys),
      .get("getRoomKeys", Self.allKeys, as: User.self, limited: true, to: getKeys),
      .delete("deleteRoomKeys", Self.allKeys, as: User.self, limited: true, to: deleteKeys),
      .put("putRoomKeysByRoomId", Self.keysOfRoom, as: User.self, limited: true, to: putKeys),
      .get("getRoomKeysByRoomId", Self.keysOfRoom, as: User.self, limited: true, to: getKeys),
      .delete("deleteRoomKeysByRoomId", Self.keysOfRoom, as: User.self, limited: true, to: deleteKeys),
      .put("putRoomKeyBySessionId", Self.keysOfSession, as: User.self, limited: true, to: putKeys),
      .get("getRoomKeyBySessionId", Self.keysOfSession, as: User.self, limited: true, to: getSession),
      .delete("deleteRoomKeyBySessionId", Self.keysOfSession, as: User.self, limited: true, to: deleteKeys),
    ]
  }

  private static let current = EndpointPaths.client("room_keys/version", .released)
  private static let version = EndpointPaths.client("room_keys/version/{version}", .released)
  private static let allKeys = EndpointPaths.client("room_keys/keys", .released)
  private static let keysOfRoom = EndpointPaths.client("room_keys/keys/{roomID}", .released)
  private static let keysOfSession = EndpointPaths.client("room_keys/keys/{roomID}/{sessionID}", .released)

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3room_keysversion
  private func createVersion(_ user: User, _ request: Request) async throws -> Response {
    let version = try await backups.create(try request.jsonObject(), of: user.userID)
    return .json(["version": .string(version)])
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3room_keysversionversion
  private func version(_ user: User, _ request: Request) async throws -> Response {
    let version = try await backups.version(request.optionalParameter("version"), of: user.userID)
    return .json { version.write(to: &$0) }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#put_matrixclientv3room_keysversionversion
  private func updateVersion(_ user: User, _ request: Request) async throws -> Response {
    try await backups.update(try request.parameter("version"), try request.jsonObject(), of: user.userID)
    return .emptyObject
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#delete_matrixclientv3room_keysversionversion
  private func deleteVersion(_ user: User, _ request: Request) async throws -> Response {
    try await backups.delete(try request.parameter("version"), of: user.userID)
    return .emptyObject
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#put_matrixclientv3room_keyskeys
  private func putKeys(_ user: User, _ request: Request) async throws -> Response {
    let contents = try await backups.add(
      try Self.part(request), try request.jsonObject(), to: try request.requireQueryValue("version"), of: user.userID)
    return .json { writer in writer.object { contents.writeMembers(to: &$0) } }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3room_keyskeys
  private func getKeys(_ user: User, _ request: Request) async throws -> Response {
    var answer = try await backups.sessions(
      try Self.part(request), in: try request.requireQueryValue("version"), of: user.userID)
    let first = try await answer.next()
    if answer.isComplete { return .encoded(first) }
    return .stream { [answer] writer in
      var answer = answer
      try await writer.write(first)
      while !answer.isComplete { try await writer.write(try await answer.next()) }
    }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3room_keyskeysroomidsessionid
  private func getSession(_ user: User, _ request: Request) async throws -> Response {
    .encoded(
      try await backups.session(
        try Self.part(request), in: try request.requireQueryValue("version"), of: user.userID))
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#delete_matrixclientv3room_keyskeys
  private func deleteKeys(_ user: User, _ request: Request) async throws -> Response {
    let contents = try await backups.delete(
      try Self.part(request), from: try request.requireQueryValue("version"), of: user.userID)
    return .json { writer in writer.object { contents.writeMembers(to: &$0) } }
  }

  private static func part(_ request: Request) throws(MatrixError) -> KeyBackupPart {
    try KeyBackupPart(
      room: request.optionalParameter("roomID"), session: request.optionalParameter("sessionID"))
  }
}
