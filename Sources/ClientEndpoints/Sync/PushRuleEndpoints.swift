import EndpointKit
import MatrixEvents
import MatrixPrimitives
import SyncEngine

/// A user's push rules.
public struct PushRuleEndpoints: Sendable {
  private let services: SyncServices

  /// Makes the family.
  public init(services: SyncServices) { self.services = services }

  /// The endpoints of the family.
  public var endpoints: [Endpoint] {
    [
      get, write(.put, "put_push_rule") { try await Self.put($0, $1) },
      write(.delete, "delete_push_rule") { try await Self.delete($0, $1) },
    ]
  }

  private static let paths = PathPattern.client("pushrules/{path...}", versions: .sinceV1)

  // MARK: Reading

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3pushrules, and the paths below it; Synapse insists on the slash at
  /// the end of those that are not a rule.
  private var get: Endpoint {
    Endpoint(name: "get_push_rules", method: .get, paths: Self.paths, role: .anyWorkerGETOnly) { [services] request in
      let user = try request.requester.userID
      let path = try request.segments("path")
      try await services.pushRules.catchUp(user)
      if path == [""] { return .encoded(try await services.pushRules.rulesJSON(of: user)) }
      guard path[0] == "global" else { throw MatrixError.unrecognized(status: 400) }
      let rules = try await services.pushRules.rules(of: user)
      return try Self.answer(rules, user, Array(path.dropFirst()))
    }
  }

  private static func answer(_ rules: PushRules, _ user: UserID, _ path: [Text]) throws -> Response {
    guard let first = path.first else { throw pedantry }
    if first.isEmpty { return .json { rules.write(for: user, to: &$0) } }
    guard path.count > 1 else {
      throw PushRule.Kind(rawValue: first) == nil ? MatrixError.unrecognized(status: 400) : pedantry
    }
    let isKnown = PushRule.Kind(rawValue: first) != nil || first == "postcontent"
    guard isKnown else { throw MatrixError.unrecognized(status: 400) }
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

  private func write(
    _ method: HTTPMethod, _ name: Text, _ body: @escaping @Sendable (PushRuleService, Request) async throws -> Void
  ) -> Endpoint {
    Endpoint(name: name, method: method, paths: Self.paths, role: .streamWriter(.pushRules)) { [services] request in
      guard services.pushRules.isWriter else {
        throw MatrixError.unknown("This process does not store push rules", status: 500)
      }
      try await body(services.pushRules, request)
      return .emptyObject
    }
  }

  /// Names a rule, and perhaps one of its attributes.
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
  private static func put(_ service: PushRuleService, _ request: Request) async throws {
    let user = try request.requester.userID
    let target = try Target(request.segments("path"))
    let body: JSONValue
    do { body = try JSONValue.parse(request.body) } catch { throw MatrixError.notJSON() }
    if let attribute = target.attribute {
      return try await service.set(attribute, user, kind: target.kind, id: target.id, body: body)
    }
    try await service.put(
      user, kind: target.kind, id: target.id, body: body, before: request.queryValue("before"),
      after: request.queryValue("after"))
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#delete_matrixclientv3pushrulesglobalkindruleid
  private static func delete(_ service: PushRuleService, _ request: Request) async throws {
    let target = try Target(request.segments("path"))
    try await service.delete(try request.requester.userID, kind: target.kind, id: target.id)
  }
}
