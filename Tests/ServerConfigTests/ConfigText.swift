import ByteText
import ServerConfig

extension Text {
  /// Returns the text with another in the places of a part.
  func replacing(_ part: Text, with other: Text) -> Text { Text(string.replacing(part.string, with: other.string)) }
}

/// Configurations for tests: a minimal one that loads, with lines added.
enum ConfigText {
  static let seed = "u6lYH01rFqRU1xtr3n20hSzi3tUsOcm/396itqQhYX4"

  static let minimal = """
    server_name: example.org
    report_stats: false
    signing_key: ed25519 a_test \(seed)
    macaroon_secret_key: secret
    database: {name: psycopg2, args: {user: synapse, database: synapse, cp_min: 2, cp_max: 7}}

    """

  static let worker = """
    worker_app: synapse.app.generic_worker
    worker_name: worker1
    redis: {enabled: true}
    instance_map: {main: {host: localhost, port: 9093}, worker1: {host: localhost, port: 9094}}

    """

  static func load(
    _ texts: Text..., role: HomeserverConfig.Role = .homeserver
  ) throws(ConfigError) -> (HomeserverConfig, warnings: [Text]) {
    let documents = texts.enumerated().map { (file: "\($0.offset + 1).yaml", text: Array($0.element.utf8)) }
    return try HomeserverConfig.parse([("base.yaml", Array(minimal.utf8))] + documents, role: role)
  }

  /// Loads and returns the one-line description of the error that is expected.
  static func failure(_ text: Text, role: HomeserverConfig.Role = .homeserver) -> Text? {
    do {
      _ = try load(text, role: role)
      return nil
    } catch {
      return Text(error.description)
    }
  }
}
