import NIOSSL
import ServerConfig

extension TLSVersion {
  /// Creates the library's value for a version in the settings.
  init(_ version: ServerSettings.TLSVersion) {
    self =
      switch version {
      case .tls10: .tlsv1
      case .tls11: .tlsv11
      case .tls12: .tlsv12
      case .tls13: .tlsv13
      }
  }
}
