import ServerComposition
import WorkerRuntime

extension Role {
  /// A worker: the client-server API without what only the main process does, and the streams that it is named for.
  static let genericWorker = Role(name: "generic_worker", kind: .worker) { context in
    let services = try ProcessServices(context)
    return services.role(families: services.clientFamilies(context) + [services.replicationFamily(context)])
  }
}
