import MatrixPrimitives

/// The public keys of a user, ready to be answered.
public struct UserKeys: Sendable {
  /// A device with identity keys.
  public struct Device: Sendable {
    /// The device; unique for its user.
    public let id: Text
    /// The identity keys as JSON, with the user's signatures and the device's name.
    public let json: [UInt8]
  }

  /// A cross-signing key.
  public struct CrossSigningKey: Sendable, Hashable {
    /// The public key in base64, which is also the key's name among the user's devices.
    public let publicKey: Text
    /// The key as it was uploaded.
    public let json: [UInt8]
  }

  /// What a cross-signing key is for.
  public enum Usage: Text, Sendable, CaseIterable {
    /// Signs the user's other keys.
    case master
    /// Signs the user's devices.
    case selfSigning = "self_signing"
    /// Signs other users' master keys.
    case userSigning = "user_signing"
  }

  /// The devices in the order of their ids.
  public internal(set) var devices: [Device] = []
  /// The newest cross-signing key of each usage.
  public internal(set) var crossSigning: [Usage: CrossSigningKey] = [:]

  /// Makes the keys of a user who has none.
  public init() {}

  /// Roughly what the keys take in memory, in bytes.
  var weight: Int {
    devices.reduce(256) { $0 + 96 + $1.json.count } + crossSigning.values.reduce(0) { $0 + 160 + $1.json.count }
  }
}

/// A signature that a user made on a key of a user.
public struct KeySignature: Sendable, Hashable {
  /// The owner of the signed key.
  public let target: UserID
  /// The signed device, or the public key of the signed cross-signing key.
  public let device: Text
  /// The signing key, such as `ed25519:` and a device or a public key.
  public let keyID: Text
  /// The signature in base64.
  public let signature: Text

  /// Collects the columns of a signature.
  public init(target: UserID, device: Text, keyID: Text, signature: Text) {
    self.target = target
    self.device = device
    self.keyID = keyID
    self.signature = signature
  }
}

extension UserKeys.Device {
  /// Completes identity keys for an answer.
  ///
  /// - Parameters:
  ///   - stored: the keys as they were uploaded.
  ///   - signatures: what the owner has signed the device with since, by key.
  /// - Returns: nil when the stored keys are no object.
  init?(id: Text, stored: Text, name: Text?, owner: UserID, signatures: [(keyID: Text, signature: Text)]) {
    // What is no JSON was stored by nobody who serves clients, and is no key.
    guard let keys = try? JSONValue.parse(stored), let members = keys.members else { return nil }
    self.id = id
    var writer = JSONWriter(capacity: stored.utf8.count + 160 * (1 + signatures.count))
    writer.object { writer in
      for (key, value, raw) in members.slices {
        if key.isString("unsigned") { continue }
        if key.isString("signatures"), !signatures.isEmpty, value.members != nil { continue }
        writer.rawMembers(raw)
      }
      if !signatures.isEmpty {
        let given = keys["signatures"]
        writer.key("signatures")
        writer.value(Self.merge(given?.json.members ?? [:], signatures, by: owner))
      }
      writer.object("unsigned") { $0.memberIfPresent("device_display_name", name) }
    }
    json = writer.exactBytes
  }

  private static func merge(
    _ given: [Text: JSON], _ added: [(keyID: Text, signature: Text)], by signer: UserID
  ) -> JSON {
    var all = given
    var own = given[signer.rawValue]?.members ?? [:]
    for (keyID, signature) in added { own[keyID] = .string(signature) }
    all[signer.rawValue] = .object(own)
    return .object(all)
  }
}

extension UserKeys.CrossSigningKey {
  /// Reads a stored key; nil when it has no public key.
  init?(stored: Text) {
    // As for devices: what is no JSON is no key.
    guard let key = try? JSONValue.parse(stored),
      let publicKey = key["keys"]?.members?.first(where: { _ in true })?.value.string
    else { return nil }
    self.publicKey = publicKey
    json = Array(stored.utf8)
  }

  /// Returns the key with further signatures of one user.
  public func signed(by signer: UserID, _ signatures: [KeySignature]) -> [UInt8] {
    // The key was parsed when it was read.
    guard !signatures.isEmpty, var key = try? JSON.parse(json) else { return json }
    var all = key["signatures"]?.members ?? [:]
    var own = all[signer.rawValue]?.members ?? [:]
    for signature in signatures { own[signature.keyID] = .string(signature.signature) }
    all[signer.rawValue] = .object(own)
    key["signatures"] = .object(all)
    return key.encoded
  }
}
