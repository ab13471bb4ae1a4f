import AccountServices
import EncryptionServices
import EndpointKit
import MatrixPrimitives
import SyncEngine

/// Keys of devices and users.
package struct KeyEndpoints: Sendable {
  private let encryption: EncryptionServices
  private let accounts: AccountServices
  private let sync: SyncServices

  /// Makes the family.
  package init(encryption: EncryptionServices, accounts: AccountServices, sync: SyncServices) {
    self.encryption = encryption
    self.accounts = accounts
    self.sync = sync
  }

  /// The operations of the family.
  package var family: EndpointFamily {
    EndpointFamily(
      "keys",
      [
        .post(
          "uploadKeys", .client("keys/upload", .released), as: UserOrGuest.self,
          on: .anyPreferring(writerOf: .deviceLists), body: .keys, to: upload),
        .post("queryKeys", .client("keys/query", .released), as: UserOrGuest.self, body: .keys, to: query),
        .post("claimKeys", .client("keys/claim", .released), as: UserOrGuest.self, body: .keys, to: claim),
        .get("getKeysChanges", .client("keys/changes", .released), as: UserOrGuest.self, to: changes),
        .post(
          "uploadCrossSigningKeys", .client("keys/device_signing/upload", [.v3, .unstable]), as: User.self,
          on: .anyPreferring(writerOf: .deviceLists), body: .account, to: uploadCrossSigningKeys),
        .post(
          "uploadCrossSigningSignatures", .client("keys/signatures/upload", .released), as: UserOrGuest.self,
          on: .anyPreferring(writerOf: .deviceLists), body: .keys, to: uploadSignatures),
      ])
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3keysupload
  private func upload(_ caller: UserOrGuest, _ request: Request) async throws -> Response {
    let body = try request.jsonObject()
    guard let device = caller.deviceID else {
      throw MatrixError.unknown("To upload keys, you must pass device_id when authenticating")
    }
    let counts = try await encryption.deviceKeys.upload(
      try KeyUpload(body, user: caller.userID, device: device), of: caller.userID, device: device)
    return .json { writer in
      writer.object {
        $0.object("one_time_key_counts") { for (algorithm, count) in counts { $0.member(algorithm, count) } }
      }
    }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3keysquery
  private func query(_ caller: UserOrGuest, _ request: Request) async throws -> Response {
    _ = try request.queryInteger("timeout")
    let query = try KeyQuery(try request.jsonObject())
    let answer = try await encryption.keyQueries.keys(query, for: caller.userID)
    return .encoded(answer.encoded)
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3keysclaim
  private func claim(_ caller: UserOrGuest, _ request: Request) async throws -> Response {
    _ = try request.queryInteger("timeout")
    let answer = try await encryption.deviceKeys.claim(try KeyWishes(try request.jsonObject()))
    return .json { answer.write(to: &$0) }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3keyschanges
  private func changes(_ caller: UserOrGuest, _ request: Request) async throws -> Response {
    guard let since = try await sync.token(try request.requireQueryValue("from")) else { return .emptyObject }
    let changes = try await sync.keyChanges.changes(for: caller.userID, since: since)
    return .json { writer in
      writer.object {
        $0.member("changed", strings: changes.changed.map(\.rawValue))
        $0.member("left", strings: changes.left.map(\.rawValue))
      }
    }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3keysdevice_signingupload
  private func uploadCrossSigningKeys(_ user: User, _ request: Request) async throws -> Response {
    let body = try request.jsonObject()
    try await encryption.crossSigning.upload(body, of: user.userID) {
      // Application services have no password to show (MSC4190).
      if user.requester.appserviceID != nil { return }
      try await accounts.confirmation.confirm(
        user.userID, .init(request, "reset the device signing key on your account"), body: body)
    }
    return .emptyObject
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3keyssignaturesupload
  private func uploadSignatures(_ caller: UserOrGuest, _ request: Request) async throws -> Response {
    let failures = try await encryption.keySignatures.upload(try request.jsonObject(), of: caller.userID)
    return .json { writer in
      writer.object { writer in
        writer.object("failures") { writer in
          for (user, keys) in failures {
            writer.object(user) { writer in
              for (name, error) in keys { writer.object(name) { Self.write(error, to: &$0) } }
            }
          }
        }
      }
    }
  }

  /// Writes why a signature was not accepted, in the members of the specification and in those of Synapse.
  private static func write(_ error: MatrixError, to writer: inout JSONWriter) {
    writer.member("status", error.status)
    writer.member("errcode", error.errcode)
    writer.member("message", "\(error.status): \(error.message)")
  }
}

extension Endpoint.BodyPolicy {
  /// The bodies of endpoints of keys: room for the keys of a device, or for the names of the members of a large room.
  fileprivate static let keys = Endpoint.BodyPolicy.collected(limit: 1 << 20)
}
