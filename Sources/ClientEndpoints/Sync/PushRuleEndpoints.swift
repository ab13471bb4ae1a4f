import EndpointKit
import MatrixEvents
import MatrixPrimitives
import SyncEngine

/// A user's push rules.
package struct PushRuleEndpoints: Sendable {
  private let pushRules: PushRuleService

  /// Makes the family.
  package init(pushRules: PushRuleService) { self.pushRules = pushRules }

  /// The operations of the family.
  package var family: EndpointFamily {
    let path = EndpointPaths.client("pushrules/{path...}", .sinceV1)
    return EndpointFamily(
      "push rules",
      [
        .get("getPushRules", path, as: User.self, to: get),
        .put("setPushRule", path, as: User.self, on: .writer(of: .pushRules), to: put),
        .delete("deletePushRule", path, as: User.self, on: .writer(of: .pushRules), to: delete),
      ])
  }

  // MARK: Reading

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3pushrules, and the paths below it; Synapse insists on the slash at
  /// the end of those that are not a rule.
  private func get(_ user: User, _ request: Request) async throws -> Response {
    let path = try request.segments("path")
    try await pushRules.catchUp(user.userID)
    if path == [""] { return .encoded(try await pushRules.rulesJSON(of: user.userID)) }
    guard path.first == "global" else { throw MatrixError.unrecognized(status: 400) }
    let rules = try await pushRules.rules(of: user.userID)
    return try Self.answer(rules, user.userID, Array(path.dropFirst()))
  }

  private static func answer(_ rules: PushRules, _ user: UserID, _ path: [Text]) throws -> Response {
    guard let first = path.first else { throw pedantry }
    if first.isEmpty { return .json { rules.write(for: user, to: &$0) } }
    guard path.count > 1 else {
      throw PushRule.Kind(rawValue: first) == nil ? MatrixError.unrecognized(status: 400) : pedantry
    }
    guard PushRule.Kind(rawValue: first) != nil else { throw MatrixError.unrecognized(status: 400) }
    let ofKind = rules.rules.filter { $0.kind.rawValue == first }
    if path[1].isEmpty { return .json(.array(ofKind.map { rules.clientForm(of: $0, for: user) })) }
    guard let rule = ofKind.first(where: { $0.clientID == path[1] }) else { throw MatrixError.notFound() }
    let form = rules.clientForm(of: rule, for: user)
    guard path.count > 2 else { return .json(form) }
    guard let value = form[path[2]] else { throw MatrixError.unrecognized(status: 400) }
    return .json(.object([path[2]: value]))
  }

  private static let pedantry = MatrixError.unrecognized(
    "Unrecognised request: You probably wanted a trailing slash", status: 400)

  // MARK: Writing

  /// A rule, and perhaps one of its attributes.
  private struct Target {
    let kind: Text
    let id: Text
    let attribute: Text?

    init(_ path: [Text]) throws(MatrixError) {
      guard path.count >= 3, path[0] == "global", !path[2].isEmpty else { throw .unrecognized(status: 400) }
      kind = path[1]
      id = path[2]
      attribute = path.count > 3 && !path[3].isEmpty ? path[3] : nil
    }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#put_matrixclientv3pushrulesglobalkindruleid, and `/enabled` and `/actions` below it.
  private func put(_ user: User, _ request: Request) async throws -> Response {
    let target = try Target(request.segments("path"))
    let body: JSONValue
    do { body = try JSONValue.parse(request.body) } catch { throw MatrixError.notJSON() }
    if let attribute = target.attribute {
      try await pushRules.set(attribute, user.userID, kind: target.kind, id: target.id, body: body)
    } else {
      try await pushRules.put(
        user.userID, kind: target.kind, id: target.id, body: body, before: request.queryValue("before"),
        after: request.queryValue("after"))
    }
    return .emptyObject
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#delete_matrixclientv3pushrulesglobalkindruleid
  private func delete(_ user: User, _ request: Request) async throws -> Response {
    let target = try Target(request.segments("path"))
    try await pushRules.delete(user.userID, kind: target.kind, id: target.id)
    return .emptyObject
  }
}
