import AccountServices
import EndpointKit
import MatrixPrimitives
import Stores

/// What a logged-in user asks about, and does to, the account itself.
public struct AccountEndpoints: Sendable {
  private let accounts: AccountServices
  private let storage: AccountStores

  /// Makes the family.
  public init(accounts: AccountServices, storage: AccountStores) {
    self.accounts = accounts
    self.storage = storage
  }

  /// The endpoints of the family.
  public var endpoints: [Endpoint] {
    [whoAmI, thirdPartyIdentifiers, changePassword, deactivate]
  }

  private var whoAmI: Endpoint {
    Endpoint(
      name: "whoami", method: .get, paths: PathPattern.client("account/whoami", versions: .released),
      auth: .guestAllowed, role: .anyWorker, deadline: nil, cancelsOnDisconnect: false
    ) { request in
      let requester = try request.requester
      return .json { writer in
        writer.beginObject()
        writer.member("user_id", requester.userID.rawValue)
        writer.member("is_guest", requester.isGuest)
        writer.memberIfPresent("device_id", requester.deviceID)
        writer.endObject()
      }
    }
  }

  private var thirdPartyIdentifiers: Endpoint {
    Endpoint(
      name: "third_party_identifiers", method: .get, paths: PathPattern.client("account/3pid", versions: .released),
      auth: .required,
      role: .anyWorker
    ) { [storage] request in
      let all = try await storage.accounts.thirdPartyIdentifiers(of: try request.requester.userID)
      return .json([
        "threepids": .array(
          all.map {
            [
              "medium": .string($0.medium), "address": .string($0.address),
              "validated_at": .integer($0.validatedAtMilliseconds), "added_at": .integer($0.addedAtMilliseconds),
            ]
          })
      ])
    }
  }

  private var changePassword: Endpoint {
    Endpoint(
      name: "change_password", method: .post, paths: PathPattern.client("account/password", versions: .released),
      auth: .required,
      role: .main, rateLimited: true, bodyLimit: Endpoint.accountBodyLimit
    ) { [accounts] request in
      let body = try request.jsonObject()
      let requester = try request.requester
      let logOutOthers = try body.optionalBool("logout_devices") ?? true
      let password = try body.optionalString("new_password")
      if let password { try accounts.passwordPolicy.check(password) }
      return try await PasswordStage(accounts).authorise(
        request, body, user: requester.userID, action: "modify your account password", omitting: ["new_password"]
      ) { _ in
        guard let password else { throw MatrixError.missingParam("Missing params: new_password") }
        let hash = try await accounts.hasher.hash(password)
        try await accounts.sessions.changePassword(of: requester, to: hash, endsOthers: logOutOthers)
        return .emptyObject
      }
    }
  }

  private var deactivate: Endpoint {
    Endpoint(
      name: "deactivate", method: .post, paths: PathPattern.client("account/deactivate", versions: .released),
      auth: .required,
      role: .anyWorker, rateLimited: true, bodyLimit: Endpoint.accountBodyLimit
    ) { [accounts] request in
      let body = try request.jsonObject()
      let requester = try request.requester
      let erases = try body.optionalBool("erase") ?? false
      return try await PasswordStage(accounts).authorise(
        request, body, user: requester.userID, action: "deactivate your account", omitting: []
      ) { _ in
        try await accounts.deactivation.deactivate(requester.userID, erases: erases)
        return .json(["id_server_unbind_result": "success"])
      }
    }
  }
}

/// Has a logged-in user enter the password again before something that cannot be undone.
struct PasswordStage: Sendable {
  private let accounts: AccountServices

  init(_ accounts: AccountServices) { self.accounts = accounts }

  /// Runs `run` once the user has shown the password, else answers 401 with the flows. A session authorises one request.
  ///
  /// - Throws: `MatrixError` 403 when another user has shown theirs.
  func authorise(
    _ request: Request, _ body: JSONValue, user: UserID, action: Text, omitting: Set<Text>,
    then run: (UserInteractiveAuth.Completed) async throws -> Response
  ) async throws -> Response {
    let completed: UserInteractiveAuth.Completed
    do {
      completed = try await accounts.userInteractiveAuth.check(
        flows: [["m.login.password"]],
        operation: .init(
          uri: request.path, method: request.method.rawValue, description: action, client: .init(request)),
        body: body, omitting: omitting
      ) { [accounts] _, auth, _ in
        .string(try await accounts.login.checkPassword(auth, limited: true, isReauthentication: true).rawValue)
      }
    } catch let incomplete as UserInteractiveAuth.Incomplete {
      return .json(incomplete.body, status: 401)
    }
    guard completed.stages["m.login.password"]?.string == user.rawValue else {
      throw MatrixError.forbidden("The session belongs to another user")
    }
    try await accounts.userInteractiveAuth.consume(completed)
    return try await run(completed)
  }
}

extension Endpoint {
  /// The body limit of endpoints of accounts, in bytes: names, passwords and stages of authentication are short, and part of them is kept.
  static let accountBodyLimit = 65_536
}
