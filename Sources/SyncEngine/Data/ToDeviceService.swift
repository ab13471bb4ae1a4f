import MatrixPrimitives
import RateLimits
import Stores

/// The acceptance of clients' messages for devices, here and elsewhere.
public final class ToDeviceService: Sendable {
  private struct Transaction: Hashable, Sendable {
    let user: UserID
    let device: Text?
    let type: Text
    let id: Text
  }

  private let store: ToDeviceStore
  private let serverName: Text
  private let transactions: SharedAnswers<Transaction, [UInt8]>
  /// How often a device asks other users for keys.
  private let keyRequests: RateLimiter

  /// The largest content of one message in canonical form, in bytes: larger ones do not fit into a federation
  /// transaction.
  private static let largestContent = 65_536
  /// The longest event type and transaction id, in bytes: both are remembered.
  private static let longestType = 255, longestTransactionID = 1_024
  /// The most EDUs for other servers that one request may make: as many as fit into a transaction between servers.
  static let mostEDUs = 100

  init(store: ToDeviceStore, serverName: Text, keyRequests: RateLimiter, clock: ServerClock) {
    self.keyRequests = keyRequests
    transactions = SharedAnswers(clock: clock, lifetimeMilliseconds: 30 * 60_000, byteBudget: 20_000)
    self.store = store
    self.serverName = serverName
  }

  /// Stores messages for devices; a request that repeats a transaction id within half an hour does nothing.
  ///
  /// - Parameters:
  ///   - requester: who sends them.
  ///   - type: their common event type.
  ///   - transactionID: the client's name for the request.
  ///   - messages: user id → device id (or `*`) → content; user ids that are none are left out.
  /// - Throws: 400 `M_BAD_JSON` when the shape is wrong, 413 `M_TOO_LARGE` when a message is too large.
  public func send(
    from requester: Requester, type: Text, transactionID: Text, messages: JSONValue
  ) async throws {
    guard type.utf8.count <= Self.longestType, transactionID.utf8.count <= Self.longestTransactionID else {
      throw MatrixError.invalidParam("The event type or the transaction ID is too long")
    }
    let key = Transaction(user: requester.userID, device: requester.deviceID, type: type, id: transactionID)
    _ = try await transactions.answer(key) { [self] in
      try await store(from: requester, type: type, messages: messages)
      return [1]
    }
  }

  /// The greatest number of EDUs that wait for other servers while no process sends them.
  private static let mostWaiting = 2_000

  /// Bounds what waits for other servers. To be called now and then by the process that alone has the duty to send to them, which
  /// no process of ours can: a Synapse process that takes over the duty finds the newest.
  func trimOutbox() async throws { try await store.trimOutbox(toNewest: Self.mostWaiting) }

  private func store(from requester: Requester, type: Text, messages: JSONValue) async throws {
    let sender = requester.userID
    guard let byUser = messages.members else { throw MatrixError.badJSON("messages must be an object") }
    var local: [UserID: [Text: [UInt8]]] = [:]
    var remote: [Text: RemoteMessages] = [:]
    for (name, devices) in byUser {
      guard let byDevice = devices.members else {
        throw MatrixError.badJSON("messages must hold an object of devices for each user")
      }
      guard let user = UserID(name) else { continue }
      guard mayReach(user, type, requester) else { continue }
      for (device, content) in byDevice {
        try Self.check(content, user, device)
        if user.serverName == serverName {
          local[user, default: [:]][device] = Self.message(type, sender, content)
        } else {
          remote[user.serverName, default: RemoteMessages()].add(content, user: name, device: device)
        }
      }
    }
    let edus = remote.mapValues { $0.parts.map { Self.edu($0, type, sender) } }
    guard edus.values.reduce(0, { $0 + $1.count }) <= Self.mostEDUs else {
      throw MatrixError.tooLarge("Too many messages for other servers in one request")
    }
    // Readers take a stream id as done when they have seen one EDU of it, so each of a server's has its own.
    for round in 0..<(edus.values.map(\.count).max() ?? (local.isEmpty ? 0 : 1)) {
      let part = edus.compactMapValues { $0.indices.contains(round) ? $0[round] : nil }
      _ = try await store.add(local: round == 0 ? local : [:], remote: part)
    }
  }

  /// Returns whether a request for keys may be passed on to another user; those that are too many vanish, as on Synapse.
  private func mayReach(_ user: UserID, _ type: Text, _ requester: Requester) -> Bool {
    guard type == "m.room_key_request", user != requester.userID, requester.appserviceID == nil else { return true }
    do {
      try keyRequests.check("\(requester.userID) \(requester.deviceID ?? "")")
      return true
    } catch {
      return false
    }
  }

  private static func edu(_ messages: JSON, _ type: Text, _ sender: UserID) -> [UInt8] {
    JSON.object([
      "messages": messages, "sender": .string(sender.rawValue), "type": .string(type),
      "message_id": .string(RandomString.alphanumeric(16)),
    ]).encoded
  }

  private static func check(_ content: JSONValue, _ user: UserID, _ device: Text) throws {
    guard content.kind == .object else { throw MatrixError.badJSON("The content of a message must be an object") }
    // What is written with an eighth of the bytes does not fit into more in canonical form, which only numbers lengthen.
    guard content.raw.count > largestContent / 8 else { return }
    let size = try CanonicalJSON.encode(content, strict: false).count
    guard size <= largestContent else {
      throw MatrixError.tooLarge(
        "To-device message for \(user):\(device) is too large to send (\(size) > \(largestContent))")
    }
  }

  private static func message(_ type: Text, _ sender: UserID, _ content: JSONValue) -> [UInt8] {
    var writer = JSONWriter(capacity: content.raw.count + 128)
    writer.beginObject()
    writer.member("content", content)
    writer.member("type", type)
    writer.member("sender", sender.rawValue)
    writer.endObject()
    return writer.bytes
  }
}

/// The messages for the users of another server, in parts that fit into one EDU each (as Synapse cuts them).
private struct RemoteMessages {
  private static let largestPart = 65_536

  private var users: [[Text: [Text: JSON]]] = []
  private var size = 0

  mutating func add(_ content: JSONValue, user: Text, device: Text) {
    let added = content.raw.count + device.utf8.count + user.utf8.count + 8
    if users.isEmpty || size + added > Self.largestPart {
      users.append([:])
      size = 0
    }
    size += added
    users[users.count - 1][user, default: [:]][device] = content.json
  }

  /// User → device → content of each part.
  var parts: [JSON] { users.map { .object($0.mapValues { .object($0) }) } }
}
