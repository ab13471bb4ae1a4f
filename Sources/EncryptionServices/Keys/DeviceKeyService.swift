import AccountServices
import MatrixPrimitives
import Stores

/// The keys that devices publish: uploaded by their owner, claimed by others.
public final class DeviceKeyService: Sendable {
  private let keys: DeviceKeyStore
  private let devices: DeviceService
  private let clock: ServerClock
  private let serverName: Text

  init(stores: EncryptionStores, devices: DeviceService) {
    keys = stores.deviceKeys
    self.devices = devices
    clock = stores.context.clock
    serverName = stores.context.config.serverName
  }

  /// Stores what a device publishes and announces it to those who share a room with the owner when the identity keys changed.
  ///
  /// - Returns: how many one-time keys there are now, by algorithm.
  /// - Throws: `MatrixError` 400 for a one-time key that is there with another value, `M_TOO_LARGE` for too many keys; 401 when the device
  ///   has gone meanwhile.
  public func upload(_ upload: KeyUpload, of user: UserID, device: Text) async throws -> [Text: Int] {
    let outcome = try await keys.store(
      upload.rows, of: user, device: device, nowMilliseconds: clock.nowMilliseconds)
    if outcome.isDeviceChanged { try await devices.changed([device], of: user) }
    if let refusal = outcome.refusal { throw refusal }
    return outcome.oneTimeKeyCounts
  }

  /// Hands out keys of this server's devices, each once: the oldest that is left, else the device's fallback key.
  public func claim(_ wishes: KeyWishes) async throws -> KeyClaimAnswer {
    var answer = KeyClaimAnswer()
    var local: [KeyClaim] = []
    for claim in wishes.claims {
      if claim.user.serverName != serverName {
        answer.unreachable.insert(claim.user.serverName)
      } else if KeyUpload.isStorable(claim.algorithm), !claim.device.contains(0) {
        local.append(claim)
      }
    }
    for key in try await keys.claim(local) { answer.keys[key.user, default: [:]][key.device, default: []].append(key) }
    return answer
  }
}

/// The keys that somebody wants of devices.
public struct KeyWishes: Sendable {
  let claims: [KeyClaim]

  /// Reads the member `one_time_keys` of a body: an algorithm for each device of each user.
  ///
  /// - Throws: `MatrixError` 400 `M_BAD_JSON` for another form, `M_INVALID_PARAM` for a user that cannot be.
  public init(_ body: JSONValue) throws(MatrixError) {
    var claims: [UserID: [Text: KeyClaim]] = [:]
    guard let users = try (body.optionalObject("one_time_keys") ?? .emptyObject).members else {
      throw .badJSON("'one_time_keys' must be an object.")
    }
    for (name, value) in users {
      guard let devices = value.members else { throw .badJSON("'one_time_keys' must hold objects.") }
      guard let user = UserID(name) else { throw .invalidParam("\(name) was not legal user ID") }
      for (device, algorithm) in devices {
        guard let algorithm = algorithm.string else { throw .badJSON("'one_time_keys' must hold algorithms.") }
        claims[user, default: [:]][device] = KeyClaim(user: user, device: device, algorithm: algorithm)
      }
    }
    self.claims = claims.values.flatMap(\.values)
  }
}

/// The keys that were claimed.
public struct KeyClaimAnswer: Sendable {
  /// The keys by user and device.
  public var keys: [UserID: [Text: [ClaimedKey]]] = [:]
  /// The servers that could not be asked.
  public var unreachable: Set<Text> = []

  /// Writes the answer of `/keys/claim`.
  public func write(to writer: inout JSONWriter) {
    writer.object { writer in
      writer.object("one_time_keys") { writer in
        for (user, devices) in keys {
          writer.object(user.rawValue) { writer in
            for (device, keys) in devices {
              writer.object(device) { writer in
                for key in keys {
                  writer.key(key.name)
                  writer.raw(Array(key.json.utf8))
                }
              }
            }
          }
        }
      }
      RemoteFailure.write(unreachable, to: &writer)
    }
  }
}

/// The member `failures` of answers about keys, for servers that could not be asked.
enum RemoteFailure {
  static func write(_ servers: Set<Text>, to writer: inout JSONWriter) {
    writer.object("failures") { writer in
      for server in servers.sorted() {
        writer.object(server) {
          $0.member("status", 503)
          $0.member("message", "The server could not be reached")
        }
      }
    }
  }
}
