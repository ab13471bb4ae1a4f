import EncryptionServices
import EndpointKit
import MatrixPrimitives

/// Keys of devices and users.
package struct KeyEndpoints: Sendable {
  private let encryption: EncryptionServices

  /// Makes the family.
  package init(encryption: EncryptionServices) { self.encryption = encryption }

  /// The operations of the family.
  package var family: EndpointFamily {
    EndpointFamily("keys", [])
  }
}
