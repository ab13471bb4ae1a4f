import MatrixPrimitives
import Stores

/// The answer to who has which devices with which keys.
public final class KeyQueryService: Sendable {
  private let keys: PublicKeyStore
  private let serverName: Text

  init(stores: EncryptionStores) {
    keys = stores.publicKeys
    serverName = stores.context.config.serverName
  }

  /// Reads the keys that a query asks for.
  ///
  /// Cost: no statement for users and a requester that were asked about before, else one for each 500 users and one for the requester.
  public func keys(_ query: KeyQuery, for requester: UserID) async throws -> KeyQueryAnswer {
    let users = Array(query.devices.keys)
    var answer = KeyQueryAnswer(query: query, requester: requester, serverName: serverName)
    answer.keys = try await keys.keys(of: users)
    for signature in try await keys.signatures(by: requester) where query.devices[signature.target] != nil {
      answer.signatures[signature.target, default: [:]][signature.device, default: []].append(signature)
    }
    return answer
  }
}

/// A question for keys.
public struct KeyQuery: Sendable {
  /// The devices that are asked for, by user; empty for all of the user's.
  public let devices: [UserID: Set<Text>]

  /// Reads the member `device_keys` of a body; users that cannot be are passed over, as on Synapse.
  ///
  /// - Throws: `MatrixError` 400 `M_BAD_JSON` for another form.
  public init(_ body: JSONValue) throws(MatrixError) {
    guard let members = body["device_keys"]?.members else {
      throw .badJSON("'device_keys' must be a JSON object")
    }
    var devices: [UserID: Set<Text>] = [:]
    for (name, value) in members {
      var ids: Set<Text> = []
      guard let elements = value.elements else { throw Self.notStrings }
      for element in elements {
        guard let id = element.string else { throw Self.notStrings }
        ids.insert(id)
      }
      if let user = UserID(name) { devices[user] = ids }
    }
    self.devices = devices
  }

  private static let notStrings = MatrixError.badJSON("'device_keys' values must be a list of strings")
}

/// The keys that were asked for.
public struct KeyQueryAnswer: Sendable {
  let query: KeyQuery
  let requester: UserID
  let serverName: Text
  var keys: [UserID: UserKeys] = [:]
  /// The requester's signatures by the owner and the name of the signed key.
  var signatures: [UserID: [Text: [KeySignature]]] = [:]

  /// The answer of `/keys/query`.
  public var encoded: [UInt8] {
    let size = keys.values.reduce(1_024) { size, keys in
      keys.devices.reduce(size + 1_536) { $0 + $1.id.utf8.count + $1.json.count + 8 }
    }
    var writer = JSONWriter(capacity: size)
    write(to: &writer)
    return writer.bytes
  }

  private func write(to writer: inout JSONWriter) {
    writer.object { writer in
      writer.object("device_keys") { writeDevices(to: &$0) }
      RemoteFailure.write(unreachable, to: &writer)
      writer.object("master_keys") { write(.master, to: &$0) }
      writer.object("self_signing_keys") { write(.selfSigning, to: &$0) }
      writer.object("user_signing_keys") { writer in
        // Whom a user trusts is nobody else's business.
        if query.devices[requester] != nil { write(.userSigning, of: requester, to: &writer) }
      }
    }
  }

  private var unreachable: Set<Text> {
    Set(query.devices.keys.lazy.map(\.serverName).filter { $0 != serverName })
  }

  private func writeDevices(to writer: inout JSONWriter) {
    for (user, wanted) in query.devices where user.serverName == serverName {
      writer.object(user.rawValue) { writer in
        for device in keys[user]?.devices ?? [] where wanted.isEmpty || wanted.contains(device.id) {
          writer.key(device.id)
          writer.raw(device.json)
        }
      }
    }
  }

  private func write(_ usage: UserKeys.Usage, to writer: inout JSONWriter) {
    for user in query.devices.keys { write(usage, of: user, to: &writer) }
  }

  private func write(_ usage: UserKeys.Usage, of user: UserID, to writer: inout JSONWriter) {
    guard let key = keys[user]?.crossSigning[usage] else { return }
    writer.key(user.rawValue)
    writer.raw(key.signed(by: requester, signatures[user]?[key.publicKey] ?? []))
  }
}
