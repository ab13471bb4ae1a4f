import MatrixPrimitives

/// What describes the server as a whole to its clients and to the operating system.
public struct ServerSettings: Sendable {
  /// A version of TLS, by its name in the configuration.
  public enum TLSVersion: Text, Sendable, Hashable, CaseIterable {
    /// TLS 1.0, which is broken.
    case tls10 = "1"
    /// TLS 1.1, which is broken.
    case tls11 = "1.1"
    /// TLS 1.2.
    case tls12 = "1.2"
    /// TLS 1.3.
    case tls13 = "1.3"
  }

  /// The file that receives the process id; nil for none.
  public var pidFile: Text?
  /// Whether the path of that file is printed at the start.
  public var printsPIDFile: Bool
  /// Whether the process is to detach. Accepted for Synapse's sake: the service manager or synctl detaches ours.
  public var daemonizes: Bool
  /// The limit on open files the process asks for; 0 means as many as the system allows.
  public var softFileLimit: Int
  /// Whether `/.well-known/matrix/client` is answered (it is when `public_baseurl` is set).
  public var servesClientWellKnown: Bool
  /// Whether `/.well-known/matrix/server` is answered.
  public var servesServerWellKnown: Bool
  /// The additional members of `/.well-known/matrix/client`; always an object.
  public var extraClientWellKnown: JSON
  /// The file of the TLS certificate chain of listeners with `tls: true`.
  public var tlsCertificatePath: Text?
  /// The file of the private key that belongs to the certificate.
  public var tlsPrivateKeyPath: Text?
  /// The oldest version of TLS that listeners speak. A setting of this server alone; written as `federation_client_minimum_tls_version` is.
  public var minimumTLSVersion: TLSVersion
  /// The contact for errors about resource limits.
  public var adminContact: Text?
  /// Whether all use by clients is refused.
  public var isDisabled: Bool
  /// The reason, told to clients, why the server is disabled.
  public var disabledMessage: Text
  /// Whether metrics are kept.
  public var keepsMetrics: Bool

  init(
    _ root: SettingsSection, publicBaseURL: PublicBaseURL, role: HomeserverConfig.Role
  ) throws(ConfigError) {
    let mainPIDFile = try root.string("pid_file")
    let workerPIDFile = try root.string("worker_pid_file")
    pidFile = role == .worker ? workerPIDFile : mainPIDFile
    printsPIDFile = try root.bool("print_pidfile", false)
    let daemonize = try root.bool("daemonize", false)
    daemonizes = try root.bool("worker_daemonize", false) || daemonize
    softFileLimit = try root.integer("soft_file_limit", 0)
    servesClientWellKnown = publicBaseURL.isExplicit
    servesServerWellKnown = try root.bool("serve_server_wellknown", false)
    extraClientWellKnown = try Self.extraClientWellKnown(root)
    tlsCertificatePath = try root.string("tls_certificate_path")
    tlsPrivateKeyPath = try root.string("tls_private_key_path")
    minimumTLSVersion = try Self.minimumTLSVersion(root)
    adminContact = try root.string("admin_contact")
    isDisabled = try root.bool("hs_disabled", false)
    disabledMessage = try root.string("hs_disabled_message") ?? ""
    keepsMetrics = try root.bool("enable_metrics", false)
    // Nothing is redirected, nothing warned of, and synctl reads its own.
    root.accept("no_redirect_stdio", "suppress_key_server_warning", "synctl_cache_factor", "synctl_cache_factors")
  }

  private static func minimumTLSVersion(_ root: SettingsSection) throws(ConfigError) -> TLSVersion {
    let key = "listener_minimum_tls_version"
    guard let node = root.node(key) else { return .tls12 }
    // Unquoted it is a number, and 1.0 the same as 1.
    guard let text = node.text, let version = TLSVersion(rawValue: text == "1.0" ? "1" : text) else {
      throw root.fail(key, node, expected: "one of 1, 1.1, 1.2, 1.3")
    }
    return version
  }

  private static func extraClientWellKnown(_ root: SettingsSection) throws(ConfigError) -> JSON {
    let key = "extra_well_known_client_content"
    guard let value = root.json(key) else { return .object([:]) }
    guard case .object = value else { throw root.fail(key, "found no mapping, expected one") }
    if value["m.homeserver"] != nil {
      throw root.fail(key, "found m.homeserver, expected it to be left to public_baseurl")
    }
    return value
  }
}

/// The address under which clients reach the server.
struct PublicBaseURL {
  /// The address; ends with a slash.
  let value: Text
  /// Whether the administrator chose it, rather than the default `https://<server_name>/`.
  let isExplicit: Bool

  init(_ root: SettingsSection, serverName: Text) throws(ConfigError) {
    guard let text = try root.string("public_baseurl") else {
      value = "https://\(serverName)/"
      isExplicit = false
      return
    }
    guard text.hasPrefix("https://") || text.hasPrefix("http://") else {
      throw root.fail("public_baseurl", "found \"\(text)\", expected an address that begins with https:// or http://")
    }
    guard !text.contains("?"), !text.contains("#") else {
      throw root.fail("public_baseurl", "found \"\(text)\", expected an address without query and fragment")
    }
    value = text.hasSuffix("/") ? text : text + "/"
    isExplicit = true
  }
}
