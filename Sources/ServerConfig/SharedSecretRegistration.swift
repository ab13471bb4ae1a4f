import ByteText

/// What `register_new_matrix_user` takes from a configuration: the shared secret and where the server answers.
public struct SharedSecretRegistration: Sendable, Hashable {
  /// The secret that authorises the registration.
  public var secret: Text
  /// The address of the first plain HTTP listener that serves clients; nil when there is none.
  public var serverURL: Text?

  /// Reads both from configuration files, merged as the server merges them; the rest is not checked.
  ///
  /// - Throws: `ConfigError` when neither `registration_shared_secret` nor its `_path` form is set, or both are.
  public static func load(paths: [Text]) throws(ConfigError) -> SharedSecretRegistration {
    let root = try ConfigFiles.section(paths: paths)
    guard let secret = try root.secret("registration_shared_secret", path: "registration_shared_secret_path") else {
      throw ConfigError("registration_shared_secret", "is missing, expected it or registration_shared_secret_path")
    }
    guard !secret.isEmpty else {
      throw root.fail("registration_shared_secret_path", "found an empty file, expected a secret")
    }
    var warnings: [Text] = []
    let listeners = try ListenerSettings.read(root, "listeners", warnings: &warnings)
    for listener in listeners where listener.serves("client") && !listener.usesTLS {
      if case .tcp(_, let port) = listener.endpoint {
        return SharedSecretRegistration(secret: secret, serverURL: "http://localhost:\(port)")
      }
    }
    return SharedSecretRegistration(secret: secret, serverURL: nil)
  }
}
