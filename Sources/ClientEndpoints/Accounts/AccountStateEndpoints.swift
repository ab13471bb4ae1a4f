import AccountServices
import EndpointKit
import MatrixPrimitives
import ServerConfig

/// What administrators do to accounts, and what is told about accounts.
package struct AccountStateEndpoints: Sendable {
  private let accounts: AccountServices
  private let config: HomeserverConfig

  /// Makes the family.
  package init(accounts: AccountServices, config: HomeserverConfig) {
    self.accounts = accounts
    self.config = config
  }

  /// The operations of the family.
  package var family: EndpointFamily {
    let suspend = EndpointPaths.client("admin/suspend/{userID}", [.v1])
    let lock = EndpointPaths.client("admin/lock/{userID}", [.v1])
    var endpoints: [Endpoint] = [
      .get(
        "getWhoIs", .client("admin/whois/{userID}", .sinceV1) + .admin("v1/whois/{userID}"), as: User.self, on: .main,
        to: whois),
      .get("getAdminSuspendUser", suspend, as: Administrator.self, to: isSuspended),
      .put("setAdminSuspendUser", suspend, as: Administrator.self, to: setSuspended),
      .get("getAdminLockUser", lock, as: Administrator.self, to: isLocked),
      .put("setAdminLockUser", lock, as: Administrator.self, to: setLocked),
    ]
    if config.experimental.isEnabled("msc3720_enabled") {
      endpoints.append(
        .post(
          "getAccountStatus", .client("org.matrix.msc3720/account_status", [.unstable]), as: User.self,
          body: .collected(limit: 1 << 20), to: statuses))
    }
    return EndpointFamily("states of accounts", endpoints)
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3adminwhoisuserid
  ///
  /// All sessions stand below a device without a name, as on Synapse.
  private func whois(_ caller: User, _ request: Request) async throws -> Response {
    let user = try request.userID
    if user != caller.userID, try await !accounts.authenticator.isAdministrator(caller.requester) {
      throw MatrixError.forbidden("You are not a server admin")
    }
    let connections = try await accounts.states.connections(of: user)
    return .json { writer in
      writer.object {
        $0.member("user_id", user)
        $0.object("devices") {
          $0.object("") {
            $0.array("sessions") {
              $0.object {
                $0.array("connections") { writer in
                  for connection in connections {
                    writer.object {
                      $0.member("ip", connection.ip)
                      $0.member("last_seen", connection.lastSeenMilliseconds)
                      $0.member("user_agent", connection.userAgent)
                    }
                  }
                }
              }
            }
          }
        }
      }
    }
  }

  /// https://spec.matrix.org/v1.18/client-server-api/#get_matrixclientv1adminsuspenduserid
  private func isSuspended(_ caller: Administrator, _ request: Request) async throws -> Response {
    let value = try await accounts.states.has(.suspended, try request.userID, asker: caller.requester)
    return .json(["suspended": .bool(value)])
  }

  /// https://spec.matrix.org/v1.18/client-server-api/#put_matrixclientv1adminsuspenduserid
  private func setSuspended(_ caller: Administrator, _ request: Request) async throws -> Response {
    let value = try request.jsonObject().requireBool("suspended")
    try await accounts.states.set(.suspended, try request.userID, to: value, by: caller.requester)
    return .json(["suspended": .bool(value)])
  }

  /// https://spec.matrix.org/v1.18/client-server-api/#get_matrixclientv1adminlockuserid
  private func isLocked(_ caller: Administrator, _ request: Request) async throws -> Response {
    let value = try await accounts.states.has(.locked, try request.userID, asker: caller.requester)
    return .json(["locked": .bool(value)])
  }

  /// https://spec.matrix.org/v1.18/client-server-api/#put_matrixclientv1adminlockuserid
  private func setLocked(_ caller: Administrator, _ request: Request) async throws -> Response {
    let value = try request.jsonObject().requireBool("locked")
    try await accounts.states.set(.locked, try request.userID, to: value, by: caller.requester)
    return .json(["locked": .bool(value)])
  }

  /// MSC3720: which of some accounts exist, and are deactivated.
  private func statuses(_ caller: User, _ request: Request) async throws -> Response {
    let users = try request.jsonObject().requireArray("user_ids").map { element throws(MatrixError) in
      guard let user = element.string else { throw .invalidParam("'user_ids' must be strings") }
      return user
    }
    let (known, unknown) = try await accounts.states.statuses(of: users)
    return .json { writer in
      writer.object {
        $0.object("account_statuses") { writer in
          for (user, isDeactivated) in known.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            writer.object(user.rawValue) {
              $0.member("exists", isDeactivated != nil)
              $0.memberIfPresent("deactivated", isDeactivated)
            }
          }
        }
        $0.member("failures", strings: unknown.map(\.rawValue))
      }
    }
  }
}
