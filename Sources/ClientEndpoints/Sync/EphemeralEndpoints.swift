import AccountServices
import EndpointKit
import MatrixPrimitives
import Replication
import RoomServices
import Stores
import SyncEngine

/// What is only news for a moment: typing, receipts, read markers, presence, messages for devices.
public struct EphemeralEndpoints: Sendable {
  private let services: SyncServices
  private let rooms: RoomServices
  private let presenceLimit: RateLimiter
  private let clock: ServerClock

  /// Makes the family.
  ///
  /// - Parameter presenceLimit: `rc_presence.per_user`, shared by all endpoints that set presence.
  public init(services: SyncServices, rooms: RoomServices, presenceLimit: RateLimiter, clock: ServerClock) {
    self.services = services
    self.rooms = rooms
    self.presenceLimit = presenceLimit
    self.clock = clock
  }

  /// The endpoints of the family.
  public var endpoints: [Endpoint] { [typing, receipt, readMarkers, setPresence, presence, sendToDevice] }

  // MARK: Rooms

  /// https://spec.matrix.org/v1.16/client-server-api/#put_matrixclientv3roomsroomidtypinguserid
  private var typing: Endpoint {
    Endpoint(
      name: "typing", method: .put, paths: PathPattern.client("rooms/{roomID}/typing/{userID}", versions: .sinceV1),
      role: .streamWriter(.typing), balance: .room, rateLimited: true
    ) { [services, rooms] request in
      let requester = try request.requester
      try Self.require(services.typing.isWriter, "typing")
      let (room, user, body) = (try request.roomID(), try request.userID(), try request.jsonObject())
      let isTyping = try body.requireBool("typing")
      let timeout = try body.optionalInteger("timeout") ?? TypingService.defaultTimeout
      guard user == requester.userID else {
        throw MatrixError(.forbidden, "Cannot set another user's typing state", status: 400)
      }
      await services.presence.bump(requester.userID, device: requester.deviceID)
      // What shadow-banned users do looks done to them and reaches nobody.
      guard !requester.isShadowBanned else { return .emptyObject }
      try await rooms.history.access.requireMember(user, in: room)
      services.typing.setTyping(user, in: room, isTyping: isTyping, timeout: timeout)
      return .emptyObject
    }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3roomsroomidreceiptreceipttypeeventid
  private var receipt: Endpoint {
    Endpoint(
      name: "receipt", method: .post,
      paths: PathPattern.client("rooms/{roomID}/receipt/{receiptType}/{eventID}", versions: .released),
      role: .streamWriter(.receipts), rateLimited: true
    ) { [services] request in
      let requester = try request.requester
      let (roomText, eventText) = (try request.parameter("roomID"), try request.parameter("eventID"))
      guard let room = RoomID(roomText), eventText.hasPrefix("$") else {
        throw MatrixError.unknown("A valid room ID and event ID must be specified", status: 400)
      }
      let type = try request.parameter("receiptType")
      guard Self.receiptTypes.contains(type) else {
        throw MatrixError.unknown("Receipt type must be \(Self.receiptTypes.joined(separator: ", "))", status: 400)
      }
      let body = try request.jsonObject()
      let thread = try Self.thread(body, type)
      await services.presence.bump(requester.userID, device: requester.deviceID)
      let event = EventID(unchecked: eventText)
      if type == Receipt.Kind.fullyRead {
        try await services.receipts.receiveMarker(requester, room: room, event: event)
      } else {
        try Self.require(services.receipts.isWriter, "receipts")
        try await services.receipts.receive(requester, room: room, type: type, event: event, threadID: thread)
      }
      return .emptyObject
    }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3roomsroomidread_markers
  private var readMarkers: Endpoint {
    Endpoint(
      name: "read_markers", method: .post,
      paths: PathPattern.client("rooms/{roomID}/read_markers", versions: .released), role: .streamWriter(.receipts),
      rateLimited: true
    ) { [services] request in
      let requester = try request.requester
      let (room, body) = (try request.roomID(), try request.jsonObject())
      var events: [Text: EventID] = [:]
      for type in Self.receiptTypes {
        guard let text = try body.optionalString(type), !text.isEmpty else { continue }
        guard let event = EventID(text) else { throw MatrixError.invalidParam("\(text) is not a valid event ID") }
        events[type] = event
      }
      await services.presence.bump(requester.userID, device: requester.deviceID)
      for type in Self.receiptTypes {
        guard let event = events[type] else { continue }
        if type == Receipt.Kind.fullyRead {
          try await services.receipts.receiveMarker(requester, room: room, event: event)
        } else {
          try Self.require(services.receipts.isWriter, "receipts")
          try await services.receipts.receive(requester, room: room, type: type, event: event, threadID: nil)
        }
      }
      return .emptyObject
    }
  }

  private static let receiptTypes = [Receipt.Kind.read, Receipt.Kind.readPrivate, Receipt.Kind.fullyRead]

  private static func thread(_ body: JSONValue, _ type: Text) throws(MatrixError) -> Text? {
    guard let thread = body["thread_id"] else { return nil }
    guard let text = thread.string, !text.isEmpty else {
      throw .invalidParam("thread_id field must be a non-empty string")
    }
    guard type != Receipt.Kind.fullyRead else {
      throw .invalidParam("thread_id is not compatible with m.fully_read receipts.")
    }
    return text
  }

  // MARK: Presence

  /// https://spec.matrix.org/v1.16/client-server-api/#put_matrixclientv3presenceuseridstatus
  private var setPresence: Endpoint {
    Endpoint(
      name: "set_presence", method: .put,
      paths: PathPattern.client("presence/{userID}/status", versions: .sinceV1), role: .streamWriter(.presence),
      rateLimited: true
    ) { [services, presenceLimit] request in
      let requester = try request.requester
      guard try request.userID() == requester.userID else {
        throw MatrixError.forbidden("Can only set your own presence state")
      }
      try presenceLimit.check(requester.userID.rawValue)
      let body = try request.jsonObject()
      guard let state = body["presence"]?.string, let members = body.members,
        members.allSatisfy({ $0.key == "presence" || $0.key == "status_msg" })
      else { throw MatrixError.unknown("Unable to parse state", status: 400) }
      if let message = body["status_msg"], message.string == nil {
        throw MatrixError.unknown("status_msg must be a string.", status: 400)
      }
      try await services.presence.setState(
        requester.userID, device: requester.deviceID, state: state, statusMessage: body["status_msg"]?.string)
      return .emptyObject
    }
  }

  /// https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3presenceuseridstatus
  private var presence: Endpoint {
    Endpoint(
      name: "get_presence", method: .get,
      paths: PathPattern.client("presence/{userID}/status", versions: .sinceV1), role: .anyWorkerGETOnly
    ) { [services, clock] request in
      let (user, requester) = (try request.userID(), try request.requester)
      guard services.presence.isEnabled else { return .json(["presence": "offline"]) }
      if user != requester.userID {
        guard try await services.presence.isVisible(user, to: requester.userID) else {
          throw MatrixError.forbidden("You are not allowed to see their presence.")
        }
      }
      let state = try await services.presence.state(of: user)
      return .json { state.writeContent(to: &$0, now: clock.nowMilliseconds) }
    }
  }

  // MARK: Devices

  /// https://spec.matrix.org/v1.16/client-server-api/#put_matrixclientv3sendtodeviceeventtypetxnid
  private var sendToDevice: Endpoint {
    Endpoint(
      name: "send_to_device", method: .put,
      paths: PathPattern.client("sendToDevice/{eventType}/{txnID}", versions: .released), auth: .guestAllowed,
      role: .streamWriter(.toDevice)
    ) { [services] request in
      let requester = try request.requester
      try Self.require(services.toDevice.isWriter, "to-device messages")
      let messages = try request.jsonObject().requireObject("messages")
      try await services.toDevice.send(
        from: requester, type: try request.parameter("eventType"), transactionID: try request.parameter("txnID"),
        messages: messages)
      return .emptyObject
    }
  }

  /// Refuses a write that reached a process which does not own its stream: the reverse proxy is set up wrongly.
  private static func require(_ isWriter: Bool, _ what: Text) throws(MatrixError) {
    guard isWriter else { throw .unknown("This process does not store \(what)", status: 500) }
  }
}
