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

  /// Sets or, with nil, clears the display name.
  public func setDisplayName(_ name: Text?, of user: UserID) async throws {
    try await database.transaction("set_profile_displayname") { txn in
      txn.enqueue(
        """
        INSERT INTO profiles (user_id, full_user_id, displayname) VALUES (\(user.localpart), \(user.rawValue), \(name))
        ON CONFLICT (user_id) DO UPDATE SET displayname = EXCLUDED.displayname
        """)
      UserDirectoryIndex.enqueueUpdate(of: user, displayName: name, in: txn)
    }
  }

  /// Sets or, with nil, clears the avatar.
  public func setAvatarURL(_ url: Text?, of user: UserID) async throws {
    try await database.transaction("set_profile_avatar_url") { txn in
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
    let limit = Self.maximumSize
    try await database.transaction("set_profile_field") { txn in
      txn.enqueue(
        """
        INSERT INTO profiles (user_id, full_user_id) VALUES (\(user.localpart), \(user.rawValue))
        ON CONFLICT (user_id) DO NOTHING
        """)
      let rows = try txn.query(
        """
        UPDATE profiles
        SET fields = jsonb_set(coalesce(fields, '{}'), ARRAY[\(name)]::text[], \(encoded)::jsonb)
        WHERE user_id = \(user.localpart)
        RETURNING octet_length(fields::text) + octet_length(coalesce(displayname, ''))
                  + octet_length(coalesce(avatar_url, ''))
        """)
      if let size = try rows.first?.get(0, as: Int64.self), size > limit {
        throw MatrixError(.profileTooLarge, "The profile would be too large")
      }
    }
  }

  /// Removes one custom field.
  public func deleteField(_ name: Text, of user: UserID) async throws {
    _ = try await database.run(
      "UPDATE profiles SET fields = fields - \(name)::text WHERE user_id = \(user.localpart)")
  }
}
