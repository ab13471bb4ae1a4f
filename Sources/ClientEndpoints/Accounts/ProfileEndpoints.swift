import AccountServices
import EndpointKit
import MatrixPrimitives
import Stores

/// Profiles: display name, avatar and further fields.
public struct ProfileEndpoints: Sendable {
  private let accounts: AccountServices

  /// Makes the family.
  public init(accounts: AccountServices) { self.accounts = accounts }

  /// The endpoints of the family.
  public var endpoints: [Endpoint] {
    [get, getField, setField, deleteField]
  }

  private static let fieldPaths = PathPattern.client(
    "profile/{userID}/{field}", versions: .sinceV1)

  private var get: Endpoint {
    Endpoint(
      name: "profile", method: .get,
      paths: PathPattern.client("profile/{userID}", versions: .sinceV1), auth: .optional,
      role: .anyWorker
    ) { [accounts] request in
      let profile = try await accounts.profiles.profile(
        of: try request.userID("userID"), for: request.optionalRequester, address: request.clientIP)
      var members = profile.fields
      if let name = profile.displayName { members["displayname"] = .string(name) }
      if let avatar = profile.avatarURL { members["avatar_url"] = .string(avatar) }
      return .json(.object(members))
    }
  }

  private var getField: Endpoint {
    Endpoint(
      name: "profile_field", method: .get, paths: Self.fieldPaths, auth: .optional, role: .anyWorker
    ) { [accounts] request in
      let field = try request.parameter("field")
      try ProfileService.check(field: field)
      let profile = try await accounts.profiles.profile(
        of: try request.userID("userID"), for: request.optionalRequester, address: request.clientIP)
      switch field {
      case "displayname": return .json(.object(profile.displayName.map { [field: .string($0)] } ?? [:]))
      case "avatar_url": return .json(.object(profile.avatarURL.map { [field: .string($0)] } ?? [:]))
      default:
        guard let value = profile.fields[field] else { throw MatrixError.notFound("Field not found") }
        return .json(.object([field: value]))
      }
    }
  }

  private var setField: Endpoint {
    Endpoint(
      name: "set_profile_field", method: .put, paths: Self.fieldPaths, auth: .guestAllowed, role: .anyWorker
    ) { [accounts] request in
      let field = try request.parameter("field")
      try ProfileService.check(field: field)
      guard let value = try request.jsonObject()[field] else {
        throw MatrixError.missingParam("Missing key '\(field)'")
      }
      let requester = try request.requester
      try await accounts.authenticator.refuseSuspended(requester, "Updating profile")
      try await accounts.profiles.set(
        field, to: value.json, of: try request.userID("userID"), by: requester,
        isAdministrator: try await accounts.authenticator.isAdministrator(requester))
      return .emptyObject
    }
  }

  private var deleteField: Endpoint {
    Endpoint(
      name: "delete_profile_field", method: .delete, paths: Self.fieldPaths, auth: .guestAllowed, role: .anyWorker
    ) { [accounts] request in
      let requester = try request.requester
      try await accounts.authenticator.refuseSuspended(requester, "Updating profile")
      try await accounts.profiles.set(
        try request.parameter("field"), to: nil, of: try request.userID("userID"), by: requester,
        isAdministrator: try await accounts.authenticator.isAdministrator(requester))
      return .emptyObject
    }
  }
}
