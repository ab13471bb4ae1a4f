import EndpointKit
import MatrixEvents
import MatrixPrimitives
import ServerConfig

/// What a client asks before and after it has logged in: versions, capabilities, where the server is.
package struct ServerEndpoints: Sendable {
  private let capabilities: JSON
  private let wellKnown: JSON?
  private let features: JSON

  /// Makes the family.
  package init(config: HomeserverConfig) {
    capabilities = Self.capabilities(config)
    wellKnown = Self.wellKnown(config)
    features = Self.features(config)
  }

  /// The operations of the family.
  package var family: EndpointFamily {
    EndpointFamily(
      "server",
      [
        .get("getVersions", "/_matrix/client/versions", as: AnyoneKnown.self, allowsLockedUsers: true, to: versions),
        .get("getCapabilities", .client("capabilities", .released), as: UserOrGuest.self, to: capabilities),
        .get("getWellknown", "/.well-known/matrix/client", as: Anyone.self, on: .main, to: wellKnownClient),
      ])
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientversions
  private func versions(_ caller: AnyoneKnown, _ request: Request) -> Response {
    .json { writer in
      writer.object {
        $0.member("versions", strings: Self.specificationVersions)
        $0.member("unstable_features", features)
      }
    }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3capabilities
  private func capabilities(_ caller: UserOrGuest, _ request: Request) -> Response { .json(capabilities) }

  private static func capabilities(_ config: HomeserverConfig) -> JSON {
    let canChangePassword = config.passwords.allowsLogin && config.passwords.usesLocalDatabase
    var versions: [Text: JSON] = [:]
    for version in RoomVersion.all { versions[version.identifier] = "stable" }
    var profileFields: [Text: JSON] = ["enabled": true]
    let disallowed: [JSON] =
      (config.registration.allowsDisplayNameChange ? [] : ["displayname"])
      + (config.registration.allowsAvatarChange ? [] : ["avatar_url"])
    if !disallowed.isEmpty { profileFields["disallowed"] = .array(disallowed) }
    return .object([
      "capabilities": .object([
        "m.room_versions": ["default": .string(config.rooms.defaultRoomVersion), "available": .object(versions)],
        "m.change_password": ["enabled": .bool(canChangePassword)],
        "m.set_displayname": ["enabled": .bool(config.registration.allowsDisplayNameChange)],
        "m.set_avatar_url": ["enabled": .bool(config.registration.allowsAvatarChange)],
        "m.3pid_changes": ["enabled": .bool(config.identity.allowsChanges)],
        "m.get_login_token": ["enabled": .bool(config.sessions.allowsLoginTokens)],
        "m.profile_fields": .object(profileFields),
      ])
    ])
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#getwell-knownmatrixclient
  private func wellKnownClient(_ caller: Anyone, _ request: Request) throws(MatrixError) -> Response {
    guard let wellKnown else { throw .notFound(".well-known not available") }
    return .json(wellKnown)
  }

  /// Returns the content of `/.well-known/matrix/client`, also part of login answers; nil when the configuration serves
  /// none.
  static func wellKnown(_ config: HomeserverConfig) -> JSON? {
    guard config.server.servesClientWellKnown else { return nil }
    var members = config.server.extraClientWellKnown.members ?? [:]
    members["m.homeserver"] = ["base_url": .string(config.publicBaseURL)]
    return .object(members)
  }
}
