import MatrixPrimitives
import Postgres

/// The profile of a local user.
public struct Profile: Sendable {
  /// The name to show; nil when unset.
  public let displayName: Text?
  /// The picture, as a `mxc:` address; nil when unset.
  public let avatarURL: Text?
  /// Fields beyond display name and avatar, such as `m.tz`.
  public let fields: [Text: JSON]
}

/// The table `profiles`. Its `user_id` is the localpart, `full_user_id` the whole ID.
public final class ProfileStore: Sendable {
  private let database: PostgresClient

  init(_ context: StoreContext) { database = context.database }

  /// The largest size of all profile fields of a user together, in bytes of JSON (specification: 64 KiB).
  public static let maximumSize = 65_536

  /// Reads a local user's profile; nil when the user has none.
  public func profile(of user: UserID) async throws -> Profile? {
    let rows = try await database.run(
      "SELECT displayname, avatar_url, fields FROM profiles WHERE user_id = \(user.localpart)")
    guard let row = rows.first else { return nil }
    let (name, avatar, fields) = try row.decode(Text?.self, Text?.self, Text?.self)
    let custom = try fields.map { try JSON.parse($0).members ?? [:] } ?? [:]
    return Profile(displayName: name, avatarURL: avatar, fields: custom)
  }

  /// Reads the size in bytes and the type of an avatar's file, as far as they are known; nil when the server does not have the file.
  ///
  /// - Parameters:
  ///   - server: the server that the file is on.
  ///   - isLocal: whether that is this one.
  public func avatarFile(
    _ media: Text, on server: Text, isLocal: Bool
  ) async throws -> (size: Int64?, type: Text?)? {
    let source: SQL =
      isLocal
      ? "local_media_repository WHERE media_id = \(media)"
      : "remote_media_cache WHERE media_origin = \(server) AND media_id = \(media)"
    return try await database.run("SELECT media_length, media_type FROM \(source)").first.map {
      try $0.decode(Int64?.self, Text?.self)
    }
  }

  /// Refuses a value that would make the fields of a profile too large together, by Synapse's count of bytes.
  private static func checkSize(_ name: Text, _ value: JSON, of user: UserID, in txn: Transaction) throws {
    let rows = try txn.query(
      """
      SELECT octet_length((fields - \(name)::text)::text), octet_length(displayname), octet_length(avatar_url)
      FROM profiles WHERE user_id = \(user.localpart) FOR UPDATE
      """)
    let (fields, displayName, avatar) =
      try rows.first?.decode(Int64?.self, Int64?.self, Int64?.self) ?? (nil, nil, nil)
    func member(_ key: Text, _ size: Int64?) -> Int64 {
      guard let size, size > 0, key != name else { return 0 }
      return size + Int64(key.utf8.count) + 6
    }
    let others = max(0, (fields ?? 1) - 1) + member("displayname", displayName) + member("avatar_url", avatar)
    guard others + Int64(JSON.object([name: value]).encoded.count) <= Int64(maximumSize) else {
      throw MatrixError(.profileTooLarge, "Profile too large")
    }
  }

  /// Sets or, with nil, clears the display name.
  ///
  /// - Throws: `MatrixError` 400 `M_PROFILE_TOO_LARGE` when the profile would exceed ``maximumSize``.
  public func setDisplayName(_ name: Text?, of user: UserID) async throws {
    try await database.transaction("set_profile_displayname") { txn in
      try Self.checkSize("displayname", name.map { .string($0) } ?? .null, of: user, in: txn)
      txn.enqueue(
        """
        INSERT INTO profiles (user_id, full_user_id, displayname) VALUES (\(user.localpart), \(user.rawValue), \(name))
        ON CONFLICT (user_id) DO UPDATE SET displayname = EXCLUDED.displayname
        """)
      UserDirectoryIndex.enqueueUpdate(of: user, displayName: name, in: txn)
    }
  }

  /// Sets or, with nil, clears the avatar.
  ///
  /// - Throws: `MatrixError` 400 `M_PROFILE_TOO_LARGE` when the profile would exceed ``maximumSize``.
  public func setAvatarURL(_ url: Text?, of user: UserID) async throws {
    try await database.transaction("set_profile_avatar_url") { txn in
      try Self.checkSize("avatar_url", url.map { .string($0) } ?? .null, of: user, in: txn)
      let rows = try txn.query(
        """
        INSERT INTO profiles (user_id, full_user_id, avatar_url) VALUES (\(user.localpart), \(user.rawValue), \(url))
        ON CONFLICT (user_id) DO UPDATE SET avatar_url = EXCLUDED.avatar_url
        RETURNING displayname
        """)
      UserDirectoryIndex.enqueueUpdate(of: user, displayName: try rows.first?.get(0, as: Text?.self), in: txn)
    }
  }

  /// Sets one custom field.
  ///
  /// - Throws: `MatrixError` 400 `M_PROFILE_TOO_LARGE` when the profile would exceed `maximumSize`.
  public func setField(_ name: Text, _ value: JSON, of user: UserID) async throws {
    let encoded = Text(decoding: value.encoded, as: UTF8.self)
    try await database.transaction("set_profile_field") { txn in
      try Self.checkSize(name, value, of: user, in: txn)
      txn.enqueue(
        """
        INSERT INTO profiles AS p (user_id, full_user_id, fields)
        VALUES (\(user.localpart), \(user.rawValue), jsonb_build_object(\(name)::text, \(encoded)::jsonb))
        ON CONFLICT (user_id) DO UPDATE SET fields = COALESCE(p.fields, '{}') || EXCLUDED.fields
        """)
    }
  }

  /// Removes one custom field.
  public func deleteField(_ name: Text, of user: UserID) async throws {
    _ = try await database.run(
      "UPDATE profiles SET fields = fields - \(name)::text WHERE user_id = \(user.localpart)")
  }
}
