import ByteText

/// The address at which a process of the cluster answers HTTP replication.
public enum InstanceLocation: Sendable, Hashable {
  /// A host and port, with or without TLS.
  case tcp(host: Text, port: Int, usesTLS: Bool)
  /// A unix socket.
  case unix(path: Text)

  /// Reads `instance_map`; the entry `main` is filed under the main process' instance name, `master`.
  static func readMap(_ root: SettingsSection) throws(ConfigError) -> [Text: InstanceLocation] {
    var result: [Text: InstanceLocation] = [:]
    for (name, section) in try root.namedSections("instance_map") {
      result[name == "main" ? HomeserverConfig.mainInstanceName : name] = try InstanceLocation(section)
    }
    return result
  }

  private init(_ section: SettingsSection) throws(ConfigError) {
    if let path = try section.string("path") {
      guard !section.has("host"), !section.has("port") else {
        throw section.fail("path", "host or port is set as well, expected either a socket or a host with a port")
      }
      section.accept("tls")
      self = .unix(path: path)
      return
    }
    guard let host = try section.string("host") else {
      throw section.fail("host", "is missing, expected a host with a port, or the path of a unix socket")
    }
    guard section.has("port") else { throw section.fail("port", "is missing, expected a port") }
    self = .tcp(
      host: host, port: try section.integer("port", 0, in: 1...65535), usesTLS: try section.bool("tls", false))
  }
}
