import AccountServices
import MatrixPrimitives
import Stores

/// The keys by which a user vouches for devices and for other users.
public final class CrossSigningService: Sendable {
  /// A closure that returns once the user has shown that the present keys may be replaced, and throws until then.
  public typealias Confirmation = @Sendable () async throws -> Void

  /// The time for which an administrator's permission to replace a master key lasts, in milliseconds; ten minutes, as on Synapse.
  private static let permissionMilliseconds: Int64 = 600_000

  private let stores: EncryptionStores
  private let devices: DeviceService
  private let clock: ServerClock

  init(stores: EncryptionStores, devices: DeviceService) {
    self.stores = stores
    self.devices = devices
    clock = stores.context.clock
  }

  /// Stores cross-signing keys.
  ///
  /// The first keys need no confirmation, nor do keys that are there already: the answer to the first upload may have been lost.
  /// https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3keysdevice_signingupload
  /// - Parameters:
  ///   - body: the request's body with `master_key`, `self_signing_key`, `user_signing_key`, as far as they are given.
  ///   - confirm: asks for the confirmation; it may be asked for twice when two uploads meet.
  /// - Throws: what `confirm` throws; `MatrixError` 400 for keys that are malformed or not signed by the master key, 403 for a key whose
  ///   public key is the name of a device or of another key of the same upload.
  public func upload(_ body: JSONValue, of user: UserID, confirm: Confirmation) async throws {
    let given = Self.given(body)
    let present = try await stores.publicKeys.currentKeys(of: user)
    guard try Self.areDifferent(given, present) else { return }
    let isSetUp = present.crossSigning[.master] != nil
    if isSetUp { try await confirm() }
    let keys = try Self.check(given, of: user, present)
    var outcome = try await stores.crossSigning.store(keys, of: user, isConfirmed: isSetUp)
    if case .needsConfirmation = outcome {
      try await confirm()
      outcome = try await stores.crossSigning.store(keys, of: user, isConfirmed: true)
    }
    guard case .stored(let stored) = outcome else { return }
    if stored.contains(where: { $0.usage == .userSigning }) { try await devices.signed([user], by: user) }
    try await devices.changed(stored.filter { $0.usage != .userSigning }.map(\.publicKey), of: user)
  }

  /// Permits a user to replace the master key without further authentication where another service authenticates users.
  ///
  /// - Returns: the end of the permission, since 1970; nil when the user has no master key.
  public func permitReplacement(of user: UserID) async throws -> Int64? {
    let until = clock.nowMilliseconds &+ Self.permissionMilliseconds
    return try await stores.crossSigning.permitReplacement(of: user, untilMilliseconds: until) ? until : nil
  }

  // MARK: Rules

  /// The members of the body by the usage of the key.
  private static let members: KeyValuePairs<Text, UserKeys.Usage> = [
    "master_key": .master, "self_signing_key": .selfSigning, "user_signing_key": .userSigning,
  ]

  private static func given(_ body: JSONValue) -> [UserKeys.Usage: JSONValue] {
    var given: [UserKeys.Usage: JSONValue] = [:]
    for (member, usage) in members { given[usage] = body[member] }
    return given
  }

  private static func areDifferent(_ given: [UserKeys.Usage: JSONValue], _ present: UserKeys) throws -> Bool {
    for (usage, key) in given {
      guard let stored = present.crossSigning[usage], try JSON.parse(stored.json) == key.json else { return true }
    }
    return false
  }

  private static func check(
    _ given: [UserKeys.Usage: JSONValue], of user: UserID, _ present: UserKeys
  ) throws -> [CrossSigningStore.NewKey] {
    let master: CrossSigningKey
    if let key = given[.master] {
      master = try CrossSigningKey.check(key, .master, of: user, signedBy: nil)
    } else {
      guard let stored = present.crossSigning[.master], let key = CrossSigningKey(try JSONValue.parse(stored.json))
      else { throw MatrixError.missingParam("No master key available") }
      master = key
    }
    var keys: [CrossSigningStore.NewKey] = []
    for (_, usage) in members {
      guard let value = given[usage] else { continue }
      let key =
        usage == .master ? master : try CrossSigningKey.check(value, usage, of: user, signedBy: master)
      keys.append(CrossSigningStore.NewKey(usage: usage, publicKey: key.name, json: value.json))
    }
    guard Set(keys.map(\.publicKey)).count == keys.count else { throw MatrixError.forbidden("Key ID in use") }
    return keys
  }
}
