import EndpointKit
import MatrixPrimitives
import WorkerRuntime

extension Role {
  static let genericWorker = Role(name: "generic_worker", kind: .worker) { _ in
    RoleServices(families: [], authenticate: { _, _ in throw MatrixError.unknownToken() })
  }
}
