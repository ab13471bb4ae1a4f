import MatrixPrimitives
import Replication
import Stores

/// Takes clients' messages for devices, here and elsewhere.
public final class ToDeviceService: Sendable {
  private struct Transaction: Hashable, Sendable {
    let user: UserID
    let device: String?
    let type: String
    let id: String
  }

  private let storage: Storage
  private let serverName: String
  private let transactions: SharedAnswers<Transaction, [UInt8]>

  /// Tells whether this process may store messages; requests to others are refused, as on Synapse.
  public let isWriter: Bool

  /// Holds the largest content of one message in canonical form, in bytes: larger ones do not fit into a federation transaction.
  private static let largestContent = 65_536

  init(storage: Storage, serverName: String, isWriter: Bool, clock: ServerClock) {
    transactions = SharedAnswers(clock: clock, lifetimeMilliseconds: 30 * 60_000, byteBudget: 20_000)
    self.storage = storage
    self.serverName = serverName
    self.isWriter = isWriter
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
    from requester: Requester, type: String, transactionID: String, messages: JSONValue
  ) async throws {
    let key = Transaction(user: requester.userID, device: requester.deviceID, type: type, id: transactionID)
    _ = try await transactions.answer(key) { [self] in
      try await store(from: requester.userID, type: type, messages: messages)
      return [1]
    }
  }

  private func store(from sender: UserID, type: String, messages: JSONValue) async throws {
    guard let byUser = messages.members else { throw MatrixError.badJSON("messages must be an object") }
    var local: [UserID: [String: [UInt8]]] = [:]
    var remote: [String: [String: JSON]] = [:]
    for (name, devices) in byUser {
      guard let byDevice = devices.members else {
        throw MatrixError.badJSON("messages must hold an object of devices for each user")
      }
      guard let user = UserID(name) else { continue }
      for (device, content) in byDevice {
        try Self.check(content, user, device)
        guard user.serverName == serverName else { continue }
        local[user, default: [:]][device] = Self.message(type, sender, content)
      }
      if user.serverName != serverName { remote[user.serverName, default: [:]][name] = devices.json }
    }
    guard !local.isEmpty || !remote.isEmpty else { return }
    let edus = remote.mapValues { messages in
      JSON.object([
        "messages": .object(messages), "sender": .string(sender.rawValue), "type": .string(type),
        "message_id": .string(RandomString.alphanumeric(16)),
      ]).encoded
    }
    _ = try await storage.toDevice.add(local: local, remote: edus)
  }

  private static func check(_ content: JSONValue, _ user: UserID, _ device: String) throws {
    guard content.kind == .object else { throw MatrixError.badJSON("The content of a message must be an object") }
    let size = try CanonicalJSON.encode(content, strict: false).count
    guard size <= largestContent else {
      throw MatrixError.tooLarge(
        "To-device message for \(user):\(device) is too large to send (\(size) > \(largestContent))")
    }
  }

  private static func message(_ type: String, _ sender: UserID, _ content: JSONValue) -> [UInt8] {
    var writer = JSONWriter(capacity: content.raw.count + 128)
    writer.beginObject()
    writer.member("content", content)
    writer.member("type", type)
    writer.member("sender", sender.rawValue)
    writer.endObject()
    return writer.bytes
  }
}
