import Crypto
import Glibc
import MatrixPrimitives

/// The server's keys and secrets.
public struct KeySettings: Sendable, Hashable {
  /// A public key that the server signed with in the past.
  public struct OldKey: Sendable, Hashable {
    /// The key's id, as in `ed25519:a_abcd`.
    public var keyID: Text
    /// The 32 bytes of the public key.
    public var publicKey: [UInt8]
    /// The time at which the key was last used, in milliseconds since 1970.
    public var expiredMilliseconds: Int64
  }

  /// The signing keys; empty where a worker has no file of them.
  var signingKeys: [SigningKey]
  /// The reason why there are none.
  private var signingKeyFailure: ConfigError?
  /// The keys that are still published for checking old signatures.
  public var oldKeys: [OldKey]
  /// The time for which other servers may keep our keys, in milliseconds.
  public var refreshIntervalMilliseconds: Int64
  /// Keys the short-lived tokens (login tokens, guest tokens). Falls back to `registration_shared_secret`, then to the
  /// hash of the signing key's seed, as in Synapse, so that all processes of a cluster agree.
  public var macaroonSecretKey: [UInt8]
  /// Keys the HMAC of forms and session identifiers.
  public var formSecret: Text?

  init(
    _ root: SettingsSection, role: HomeserverConfig.Role, serverName: Text, configFolder: Text, sharedSecret: Text?,
    warnings: inout [Text]
  ) throws(ConfigError) {
    do {
      signingKeys = try Self.signingKeys(root, serverName: serverName, configFolder: configFolder)
    } catch  where role == .worker {
      // Not every worker signs. Those that do ask for the key when they start.
      signingKeys = []
      signingKeyFailure = error
    }
    oldKeys = try Self.oldKeys(root)
    refreshIntervalMilliseconds = try root.milliseconds("key_refresh_interval", 86_400_000)
    let secret = try root.secret("macaroon_secret_key", path: "macaroon_secret_key_path")
    if let secret = secret ?? sharedSecret, !secret.isEmpty {
      macaroonSecretKey = Array(secret.utf8)
    } else {
      warnings.append("macaroon_secret_key: not set, a key is derived from the signing key")
      guard let key = signingKeys.first else {
        throw signingKeyFailure ?? ConfigError("macaroon_secret_key", "is missing, and so is a signing key")
      }
      macaroonSecretKey = Array(SHA256.hash(data: key.seed))
    }
    formSecret = try root.secret("form_secret", path: "form_secret_path")
  }

  /// The key that signs.
  ///
  /// - Throws: what kept the keys from being read, when there is none.
  public var signingKey: SigningKey {
    get throws(ConfigError) {
      if let key = signingKeys.first { return key }
      throw signingKeyFailure ?? ConfigError("signing_key", "is missing")
    }
  }

  /// Returns where the signing keys are kept when no path is set.
  static func standardSigningKeyPath(serverName: Text, configFolder: Text) -> Text {
    configFolder.isEmpty ? "\(serverName).signing.key" : "\(configFolder)/\(serverName).signing.key"
  }

  private static func signingKeys(
    _ root: SettingsSection, serverName: Text, configFolder: Text
  ) throws(ConfigError) -> [SigningKey] {
    let path = try root.string("signing_key_path")
    if let node = root.node("signing_key") {
      guard let key = node.string.flatMap(SigningKey.init(line:)) else {
        throw root.fail("signing_key", "expected the form: ed25519 a_abcd <base64 of 32 bytes>")
      }
      return [key]
    }
    let file = path ?? standardSigningKeyPath(serverName: serverName, configFolder: configFolder)
    let text = Text(
      decoding: try FileText.read(file, key: "signing_key_path", at: root.node("signing_key_path")?.mark), as: UTF8.self
    )
    var keys: [SigningKey] = []
    for (index, line) in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
    where !line.trimmed.isEmpty {
      guard let key = SigningKey(line: line) else {
        throw root.fail(
          "signing_key_path", "\(file):\(index + 1) is no key, expected the form: ed25519 a_abcd <base64 of 32 bytes>")
      }
      keys.append(key)
    }
    guard !keys.isEmpty else { throw root.fail("signing_key_path", "found no key in \(file), expected at least one") }
    return keys
  }

  private static func oldKeys(_ root: SettingsSection) throws(ConfigError) -> [OldKey] {
    var keys: [OldKey] = []
    for (name, section) in try root.namedSections("old_signing_keys") {
      guard name.hasPrefix("ed25519:") else {
        throw section.fail("key", "found the key id \"\(name)\", expected one that begins with ed25519:")
      }
      guard let bytes = try section.string("key").flatMap(UnpaddedBase64.decode), bytes.count == 32 else {
        throw section.fail("key", "expected the base64 form of a public key of 32 bytes")
      }
      guard section.has("expired_ts") else {
        throw section.fail("expired_ts", "is missing, expected milliseconds since 1970")
      }
      keys.append(
        OldKey(keyID: name, publicKey: bytes, expiredMilliseconds: Int64(try section.integer("expired_ts", 0))))
    }
    return keys
  }
}
