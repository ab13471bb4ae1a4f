import ByteText
import YAML

/// One socket on which a process listens.
public struct ListenerSettings: Sendable, Hashable {
  /// The address to listen at.
  public enum Endpoint: Sendable, Hashable {
    /// A TCP port on each of the addresses; several addresses are several sockets.
    case tcp(addresses: [Text], port: Int)
    /// A unix socket with the permissions it is given.
    case unix(path: Text, mode: Int)
  }

  /// What is spoken on the socket.
  public enum Kind: Text, Sendable, Hashable {
    /// The endpoints of `resources`.
    case http
    /// Prometheus metrics only.
    case metrics
  }

  /// The endpoints that are served together.
  public struct Resource: Sendable, Hashable {
    /// The names of the groups: client, federation, keys, media, metrics, replication, health, static, consent, openid.
    public var names: [Text]
    /// Whether answers may be compressed.
    public var compresses: Bool
  }

  /// The names that `resources` may have.
  public static let knownResources: Set<Text> = [
    "client", "consent", "federation", "health", "keys", "media", "metrics", "openid", "replication", "static",
  ]

  /// The address to listen at.
  public var endpoint: Endpoint
  /// What is spoken.
  public var kind: Kind
  /// Whether TLS is demanded, with the certificate of `tls_certificate_path`.
  public var usesTLS: Bool
  /// Whether `X-Forwarded-For` and `X-Forwarded-Proto` are believed; the standard is true on a unix socket.
  public var trustsForwardedHeaders: Bool
  /// What an http listener serves.
  public var resources: [Resource]
  /// The listener's name in logs, instead of its port.
  public var tag: Text?
  /// The request header whose value identifies the request in logs.
  public var requestIDHeader: Text?

  /// Returns whether a group of endpoints is served here.
  public func serves(_ resource: Text) -> Bool {
    kind == .http ? resources.contains { $0.names.contains(resource) } : resource == "metrics"
  }

  /// Reads a list of listeners. A debug console (`type: manhole`) is left out with a warning: there is none here. So are metrics unless
  /// `enable_metrics` is true.
  static func read(_ root: SettingsSection, _ key: Text, warnings: inout [Text]) throws(ConfigError)
    -> [ListenerSettings]
  {
    let hasMetrics = try root.bool("enable_metrics", false)
    var result: [ListenerSettings] = []
    for section in try root.sections(key) {
      if try section.string("type") == "manhole" {
        section.accept(
          "port", "bind_address", "bind_addresses", "path", "mode", "tls", "tag", "x_forwarded", "resources")
        warnings.append("\(section.path): a manhole is a Python console and is not opened")
        continue
      }
      let listener = try ListenerSettings(section)
      if !hasMetrics, listener.serves("metrics") {
        warnings.append("\(section.path): metrics are not served unless enable_metrics is true")
        if listener.kind == .metrics { continue }
      }
      result.append(listener)
    }
    return result
  }

  private init(_ section: SettingsSection) throws(ConfigError) {
    guard let type = section.node("type") else { throw section.fail("type", "is missing, expected http or metrics") }
    if type.string == "replication" {
      throw section.fail("type", type, expected: "http with the resource replication (direct TCP replication is gone)")
    }
    guard let kind = type.string.flatMap(Kind.init(rawValue:)) else {
      throw section.fail("type", type, expected: "http, metrics or manhole")
    }
    self.kind = kind
    endpoint = try Self.endpoint(section, kind: kind)
    usesTLS = try section.bool("tls", false)
    let isUnix = if case .unix = endpoint { true } else { false }
    if isUnix && usesTLS { throw section.fail("tls", "found true, expected false on a unix socket") }
    trustsForwardedHeaders = try section.bool("x_forwarded", isUnix)
    tag = try section.text("tag")
    requestIDHeader = try section.string("request_id_header")
    resources = []
    for resource in try section.sections("resources") {
      var names: [Text] = []
      for name in try resource.stringOrStrings("names") ?? [] {
        guard Self.knownResources.contains(name) else {
          throw resource.fail(
            "names", "found \"\(name)\", expected " + Self.knownResources.sorted().joined(separator: ", "))
        }
        names.append(name)
      }
      resources.append(Resource(names: names, compresses: try resource.bool("compress", false)))
    }
  }

  private static func endpoint(_ section: SettingsSection, kind: Kind) throws(ConfigError) -> Endpoint {
    let addresses = try section.stringOrStrings("bind_addresses") ?? []
    let single = try section.string("bind_address")
    let mode = try section.integer("mode", 0o666, in: 0...0o7777)
    if let path = try section.string("path") {
      guard !section.has("port") else {
        throw section.fail("port", "path is set as well, expected only one of the two")
      }
      return .unix(path: path, mode: mode)
    }
    guard section.has("port") else {
      throw section.fail("port", "is missing, expected a port or a path of a unix socket")
    }
    let port = try section.integer("port", 0, in: 0...65535)
    // An empty address is an old way to write "all".
    let all = (addresses + (single.map { [$0] } ?? [])).map { $0.isEmpty ? "0.0.0.0" : $0 }
    let standard = kind == .metrics ? ["0.0.0.0"] : ["::", "0.0.0.0"]
    return .tcp(addresses: all.isEmpty || single == "" && addresses.isEmpty ? standard : all, port: port)
  }
}
