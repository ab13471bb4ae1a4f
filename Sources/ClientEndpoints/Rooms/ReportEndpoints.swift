import EndpointKit
import MatrixPrimitives
import RoomServices
import ServerConfig
import UserDirectory

/// Reports of events, rooms and users to the administrators.
package struct ReportEndpoints: Sendable {
  /// The greatest body of a report, which is kept, in bytes.
  private static let largestBody = 65_536

  private let reports: ReportService
  private let history: HistoryService
  /// Whether answers hide what there is to be reported (MSC4277).
  private let hidesExistence: Bool

  /// Makes the family.
  package init(reports: ReportService, rooms: RoomServices, config: HomeserverConfig) {
    self.reports = reports
    history = rooms.history
    hidesExistence = config.experimental.isEnabled("msc4277_enabled")
  }

  /// The operations of the family.
  package var family: EndpointFamily {
    let body = Endpoint.BodyPolicy.collected(limit: Self.largestBody)
    return EndpointFamily(
      "reports",
      [
        .post(
          "reportEvent", .client("rooms/{roomID}/report/{eventID}", .sinceV1), as: User.self, on: .main, body: body,
          to: reportEvent),
        .post(
          "reportRoom", .client("rooms/{roomID}/report", [.v3]), as: User.self, on: .main, limited: true, body: body,
          to: reportRoom),
        .post(
          "reportUser", .client("users/{userID}/report", [.v3]), as: User.self, on: .main, limited: true, body: body,
          to: reportUser),
      ])
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3roomsroomidreporteventid
  private func reportEvent(_ caller: User, _ request: Request) async throws -> Response {
    let body = try request.jsonObject()
    let reason = body["reason"]
    guard reason == nil || reason?.string != nil else { throw MatrixError.badJSON("Param 'reason' must be a string") }
    guard hidesExistence || body["score"].map({ $0.integer != nil }) ?? true else {
      throw MatrixError.badJSON("Param 'score' must be an integer")
    }
    try Self.checkStorable(reason?.string)
    guard let room = RoomID(try request.parameter("roomID")), let event = EventID(try request.parameter("eventID")),
      try await isSeen(event, in: room, by: caller.requester)
    else {
      if hidesExistence { return .emptyObject }
      throw MatrixError.notFound("Unable to report event: it does not exist or you aren't able to see it.")
    }
    try await reports.report(event: event, in: room, by: caller.requester, reason: reason?.string, body: body.json)
    return .emptyObject
  }

  private func isSeen(_ event: EventID, in room: RoomID, by requester: Requester) async throws -> Bool {
    do {
      _ = try await history.event(event, room: room, requester: requester)
      return true
    } catch let error as MatrixError where error.status < 500 {
      return false
    }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3roomsroomidreport
  private func reportRoom(_ caller: User, _ request: Request) async throws -> Response {
    let reason = try Self.reason(request)
    guard let room = RoomID(try request.parameter("roomID")) else {
      if hidesExistence { return .emptyObject }
      throw MatrixError.notFound("Room does not exist")
    }
    do {
      try await reports.report(room: room, by: caller.requester, reason: reason)
    } catch let error as MatrixError where error.status == 404 && hidesExistence {
      return .emptyObject
    }
    return .emptyObject
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3usersuseridreport
  private func reportUser(_ caller: User, _ request: Request) async throws -> Response {
    try await reports.report(
      user: try request.parameter("userID"), by: caller.requester, reason: try Self.reason(request))
    return .emptyObject
  }

  private static func reason(_ request: Request) throws(MatrixError) -> Text {
    guard let reason = try request.jsonObject()["reason"]?.string else {
      throw .badJSON("Param 'reason' must be a string")
    }
    try checkStorable(reason)
    return reason
  }

  /// Refuses what the database cannot hold.
  private static func checkStorable(_ text: Text?) throws(MatrixError) {
    if text?.contains(0) == true { throw .badJSON("Param 'reason' must not contain a null character") }
  }
}
