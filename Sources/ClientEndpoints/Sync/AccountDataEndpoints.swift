import EndpointKit
import MatrixPrimitives
import SyncEngine

/// A user's account data, global and of rooms, and tags of rooms.
package struct AccountDataEndpoints: Sendable {
  private let accountData: AccountDataService

  /// Makes the family.
  package init(accountData: AccountDataService) { self.accountData = accountData }

  /// The operations of the family.
  package var family: EndpointFamily {
    let global = EndpointPaths.client("user/{userID}/account_data/{type}", .released)
    let ofRoom = EndpointPaths.client("user/{userID}/rooms/{roomID}/account_data/{type}", .released)
    let tag = EndpointPaths.client("user/{userID}/rooms/{roomID}/tags/{tag}", .released)
    let unstable = EndpointPaths.client("org.matrix.msc3391/user/{userID}/account_data/{type}", [.unstable])
    let unstableOfRoom = EndpointPaths.client(
      "org.matrix.msc3391/user/{userID}/rooms/{roomID}/account_data/{type}", [.unstable])
    let deletions: [Endpoint] = [
      .delete("deleteAccountData", unstable, as: User.self, on: .anyPreferring(writerOf: .accountData), to: delete),
      .delete(
        "deleteAccountDataPerRoom", unstableOfRoom, as: User.self, on: .anyPreferring(writerOf: .accountData),
        to: deleteOfRoom),
    ]
    return EndpointFamily(
      "account data",
      (accountData.allowsDeletion ? deletions : []) + [
        .put("setAccountData", global, as: User.self, on: .anyPreferring(writerOf: .accountData), to: set),
        .get("getAccountData", global, as: User.self, to: get),
        .put("setAccountDataPerRoom", ofRoom, as: User.self, on: .anyPreferring(writerOf: .accountData), to: setOfRoom),
        .get("getAccountDataPerRoom", ofRoom, as: User.self, to: getOfRoom),
        .get("getRoomTags", .client("user/{userID}/rooms/{roomID}/tags", .released), as: User.self, to: tags),
        .put("setRoomTag", tag, as: User.self, on: .anyPreferring(writerOf: .accountData), to: setTag),
        .delete("deleteRoomTag", tag, as: User.self, on: .anyPreferring(writerOf: .accountData), to: deleteTag),
      ])
  }

  // MARK: Global

  /// https://spec.matrix.org/v1.16/client-server-api/#put_matrixclientv3useruseridaccount_datatype
  private func set(_ caller: User, _ request: Request) async throws -> Response {
    let user = try request.owner(caller, else: "Cannot add account data for other users.")
    try await accountData.set(user, type: try request.parameter("type"), content: try request.jsonObject())
    return .emptyObject
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3useruseridaccount_datatype
  private func get(_ caller: User, _ request: Request) async throws -> Response {
    let user = try request.owner(caller, else: "Cannot get account data for other users.")
    return .encoded(try await accountData.content(try request.parameter("type"), of: user))
  }

  /// https://github.com/matrix-org/matrix-spec-proposals/pull/3391
  private func delete(_ caller: User, _ request: Request) async throws -> Response {
    let user = try request.owner(caller, else: "Cannot delete account data for other users.")
    try await accountData.remove(user, type: try request.parameter("type"))
    return .emptyObject
  }

  // MARK: Rooms

  /// https://spec.matrix.org/v1.16/client-server-api/#put_matrixclientv3useruseridroomsroomidaccount_datatype
  private func setOfRoom(_ caller: User, _ request: Request) async throws -> Response {
    let user = try request.owner(caller, else: "Cannot add account data for other users.")
    try await accountData.set(
      user, room: try request.roomID, type: try request.parameter("type"), content: try request.jsonObject())
    return .emptyObject
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3useruseridroomsroomidaccount_datatype
  private func getOfRoom(_ caller: User, _ request: Request) async throws -> Response {
    let user = try request.owner(caller, else: "Cannot get account data for other users.")
    return .encoded(try await accountData.content(try request.parameter("type"), of: user, in: try request.roomID))
  }

  /// https://github.com/matrix-org/matrix-spec-proposals/pull/3391
  private func deleteOfRoom(_ caller: User, _ request: Request) async throws -> Response {
    let user = try request.owner(caller, else: "Cannot delete account data for other users.")
    try await accountData.remove(user, room: try request.roomID, type: try request.parameter("type"))
    return .emptyObject
  }

  // MARK: Tags

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3useruseridroomsroomidtags
  private func tags(_ caller: User, _ request: Request) async throws -> Response {
    let user = try request.owner(caller, else: "Cannot get tags for other users.")
    let tags = try await accountData.tags(of: user, in: try request.roomID)
    return .json { writer in
      writer.object {
        $0.object("tags") { object in
          for (tag, content) in tags {
            object.key(tag)
            object.raw(content)
          }
        }
      }
    }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#put_matrixclientv3useruseridroomsroomidtagstag
  private func setTag(_ caller: User, _ request: Request) async throws -> Response {
    let user = try request.owner(caller, else: "Cannot add tags for other users.")
    try await accountData.setTag(
      user, room: try request.roomID, tag: try request.parameter("tag"), content: try request.jsonObject())
    return .emptyObject
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#delete_matrixclientv3useruseridroomsroomidtagstag
  private func deleteTag(_ caller: User, _ request: Request) async throws -> Response {
    let user = try request.owner(caller, else: "Cannot add tags for other users.")
    try await accountData.removeTag(user, room: try request.roomID, tag: try request.parameter("tag"))
    return .emptyObject
  }
}
