import ClientComposition
import WorkerRuntime

extension Role {
  /// A worker: the client-server API, and the streams and duties that the configuration names it for.
  static let genericWorker = Role("generic_worker", kind: .worker) { try ClientServing($0).composition() }
}
