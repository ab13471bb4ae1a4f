import MatrixPrimitives

/// Where conferences of calls are (`matrix_rtc`).
public struct CallTransportSettings: Sendable, Hashable {
  /// What clients get of each, as written.
  public var transports: [JSON]

  init(_ root: SettingsSection) throws(ConfigError) {
    let section = try root.section("matrix_rtc")
    transports = []
    for node in try section.list("transports") {
      let transport = JSON(node)
      guard let type = transport["type"]?.string else {
        throw section.fail("transports", "expected a list of mappings with a text `type`")
      }
      for key in ["url", "livekit_service_url"] as [Text] {
        if let value = transport[key], value.string == nil, !value.isNull {
          throw section.fail("transports", "expected a text for `\(key)`")
        }
      }
      let addresses = ["url", "livekit_service_url"].compactMap { (key: Text) in transport[key]?.string }
      guard type != "livekit" || addresses.contains(where: { !$0.isEmpty }) else {
        throw section.fail("transports", "expected `url` or `livekit_service_url` for the type livekit")
      }
      transports.append(transport)
    }
  }
}
