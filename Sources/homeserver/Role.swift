import EndpointKit
import MatrixPrimitives
import WorkerRuntime

extension Role {
  static let homeserver = Role(name: "homeserver", kind: .homeserver) { _ in
    RoleServices(families: [], authenticate: { _, _ in throw MatrixError.unknownToken() })
  }
}
