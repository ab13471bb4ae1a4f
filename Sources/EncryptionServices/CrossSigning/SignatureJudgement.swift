import MatrixPrimitives
import Stores

/// The examination of signatures that one user uploads.
struct SignatureJudgement {
  /// The user who made the signatures.
  let signer: UserID
  /// The signer's keys.
  let keys: UserKeys
  /// What the signer has signed before.
  private let known: Set<KeySignature>

  /// The signatures to be stored.
  private(set) var accepted: [KeySignature] = []
  /// Why others are not.
  private(set) var failures: KeySignatureService.Failures = [:]

  init(signer: UserID, keys: UserKeys, signatures: [KeySignature]) {
    self.signer = signer
    self.keys = keys
    known = Set(signatures)
  }

  private static let invalid = MatrixError(.invalidSignature, "Invalid signature")
  private static let different = MatrixError.unknown("Key does not match")
  private static let unknownDevice = MatrixError.notFound("Unknown device")

  // MARK: The signer's own keys

  /// Examines signatures of the signer's devices by the self-signing key, and of the master key by devices.
  mutating func judgeOwn(_ uploaded: [Text: JSONValue]) {
    do {
      let selfSigning = try key(.selfSigning, of: signer, keys)
      let master = try key(.master, of: signer, keys)
      guard !keys.devices.isEmpty else { throw MatrixError.notFound("No device keys found") }
      for (name, value) in uploaded {
        do {
          if name == master.name {
            try judge(master: value, stored: master)
          } else {
            try judge(device: value, name: name, by: selfSigning)
          }
        } catch {
          fail(signer.rawValue, name, error)
        }
      }
    } catch {
      for name in uploaded.keys { fail(signer.rawValue, name, error) }
    }
  }

  private mutating func judge(device value: JSONValue, name: Text, by key: CrossSigningKey) throws {
    guard let signature = value["signatures"]?[signer.rawValue]?[key.id]?.string else { throw Self.invalid }
    guard let device = keys.devices.first(where: { $0.id == name }) else { throw Self.unknownDevice }
    try accept(signature, of: value, by: key, as: signer, name, stored: try JSONValue.parse(device.json))
  }

  /// Examines the signatures of the master key; those of algorithms that nobody can check are passed over.
  private mutating func judge(master value: JSONValue, stored: CrossSigningKey) throws {
    guard let signatures = value["signatures"]?[signer.rawValue]?.members else { throw Self.invalid }
    var found: [KeySignature] = []
    for (keyID, signature) in signatures {
      guard let device = keyID.dropping(prefix: "ed25519:") else { continue }
      guard let json = keys.devices.first(where: { $0.id == device })?.json,
        let text = try JSONValue.parse(json)["keys"]?[keyID]?.string,
        let publicKey = CrossSigningKey.publicKey(text), let signature = signature.string
      else { throw Self.invalid }
      guard Self.isSameKey(value, stored.value) else { throw Self.different }
      guard CrossSigningKey.isSigned(value, by: signer, keyID: keyID, publicKey) else { throw Self.invalid }
      found.append(KeySignature(target: signer, device: stored.name, keyID: keyID, signature: signature))
    }
    for signature in found where !known.contains(signature) { accepted.append(signature) }
  }

  // MARK: Keys of others

  /// Examines signatures of other users' master keys by the signer's user-signing key.
  mutating func judgeOthers(_ uploaded: [Text: [Text: JSONValue]], _ targets: [UserID: UserKeys]) {
    do {
      let userSigning = try key(.userSigning, of: signer, keys)
      for (user, keys) in uploaded { judge(keys, of: user, by: userSigning, targets) }
    } catch {
      for (user, keys) in uploaded { for name in keys.keys { fail(user, name, error) } }
    }
  }

  private mutating func judge(
    _ uploaded: [Text: JSONValue], of user: Text, by userSigning: CrossSigningKey, _ targets: [UserID: UserKeys]
  ) {
    do {
      guard let target = UserID(user) else { throw MatrixError.invalidParam("Invalid user ID") }
      let master = try key(.master, of: target, targets[target] ?? UserKeys())
      for (name, value) in uploaded {
        do {
          // Only the master key of somebody else can be signed.
          guard name == master.name else { throw Self.unknownDevice }
          guard let signature = value["signatures"]?[signer.rawValue]?[userSigning.id]?.string else {
            throw Self.invalid
          }
          try accept(signature, of: value, by: userSigning, as: target, name, stored: master.value)
        } catch {
          fail(user, name, error)
        }
      }
    } catch {
      for name in uploaded.keys { fail(user, name, error) }
    }
  }

  // MARK: Both

  private mutating func accept(
    _ signature: Text, of value: JSONValue, by key: CrossSigningKey, as target: UserID, _ name: Text,
    stored: JSONValue
  ) throws {
    let row = KeySignature(target: target, device: name, keyID: key.id, signature: signature)
    guard !known.contains(row) else { return }
    guard Self.isSameKey(value, stored) else { throw Self.different }
    guard key.hasSigned(value, of: signer) else { throw Self.invalid }
    accepted.append(row)
  }

  /// Finds a cross-signing key.
  private func key(_ usage: UserKeys.Usage, of user: UserID, _ keys: UserKeys) throws -> CrossSigningKey {
    guard let stored = keys.crossSigning[usage], let key = CrossSigningKey(try JSONValue.parse(stored.json)) else {
      throw MatrixError.notFound("No \(usage.rawValue) key found for \(user)")
    }
    return key
  }

  /// Returns whether two keys are the same but for signatures and what servers add.
  private static func isSameKey(_ one: JSONValue, _ other: JSONValue) -> Bool {
    do {
      let omitted: Set<Text> = ["signatures", "unsigned"]
      return try CanonicalJSON.encode(one, omitting: omitted, strict: false)
        == CanonicalJSON.encode(other, omitting: omitted, strict: false)
    } catch {
      return false
    }
  }

  private mutating func fail(_ user: Text, _ name: Text, _ error: any Error) {
    failures[user, default: [:]][name] = error as? MatrixError ?? Self.invalid
  }
}
