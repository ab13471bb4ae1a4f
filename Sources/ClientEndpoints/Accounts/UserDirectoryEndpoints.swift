import EndpointKit
import MatrixPrimitives
import UserDirectory

/// Finding users, and the rooms that two are both in.
package struct UserDirectoryEndpoints: Sendable {
  private let directory: UserDirectoryService

  /// Makes the family.
  package init(directory: UserDirectoryService) { self.directory = directory }

  /// The operations of the family.
  package var family: EndpointFamily {
    EndpointFamily(
      "user directory",
      [
        .post(
          "searchUserDirectory", .client("user_directory/search", .sinceV1), as: User.self, limited: true, to: search),
        .get(
          "getMutualRooms",
          .client("mutual_rooms", [.v1, .unstable]) + .client("uk.half-shot.msc2666/user/mutual_rooms", [.unstable]),
          as: User.self, to: mutualRooms),
      ])
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3user_directorysearch
  private func search(_ caller: User, _ request: Request) async throws -> Response {
    guard directory.isEnabled else { return .json(["limited": false, "results": .array([])]) }
    try await directory.limit(caller.requester)
    let body = try request.jsonObject()
    let limit = try Self.limit(body["limit"])
    guard let member = body["search_term"] else { throw MatrixError.unknown("`search_term` is required field") }
    guard let term = member.string else { throw MatrixError.badJSON("`search_term` must be a string") }
    let found = try await directory.search(term, by: caller.userID, limit: limit)
    return .json { writer in
      writer.object {
        $0.member("limited", found.isLimited)
        $0.array("results") { writer in
          for user in found.users {
            writer.object {
              $0.member("user_id", user.userID)
              $0.member("display_name", user.displayName.map { JSON.string($0) } ?? .null)
              $0.member("avatar_url", user.avatarURL.map { JSON.string($0) } ?? .null)
            }
          }
        }
      }
    }
  }

  /// Reads a limit as Synapse does, which takes texts of digits and fractions as well.
  private static func limit(_ value: JSONValue?) throws(MatrixError) -> Int {
    guard let value else { return 10 }
    if let integer = value.integer { return Int(clamping: integer) }
    if let text = value.string, let integer = Int64(text) { return Int(clamping: integer) }
    if let number = value.json.double, let whole = Int(exactly: number.rounded(.towardZero)) { return whole }
    throw .invalidParam("`limit` must be an integer")
  }

  /// https://spec.matrix.org/v1.18/client-server-api/#get_matrixclientv1mutual_rooms
  private func mutualRooms(_ caller: User, _ request: Request) async throws -> Response {
    let users = request.queryValues("user_id")
    guard let text = users.first else {
      throw MatrixError.missingParam("Missing required string query parameter 'user_id'")
    }
    guard users.count == 1 else { throw MatrixError.invalidParam("Duplicate user_id query parameter") }
    guard let other = UserID(text) else { throw MatrixError.invalidParam("Invalid user_id query parameter") }
    let batches = request.queryValues("from")
    guard batches.count < 2 else { throw MatrixError.invalidParam("Duplicate from query parameter") }
    let page = try await directory.mutualRooms(
      of: caller.userID, with: other, from: batches.first.flatMap { $0.isEmpty ? nil : $0 })
    return .json { writer in
      writer.object {
        $0.member("joined", strings: page.rooms.map(\.rawValue))
        $0.memberIfPresent("next_batch", page.next)
        $0.member("count", Int64(page.count))
      }
    }
  }
}
