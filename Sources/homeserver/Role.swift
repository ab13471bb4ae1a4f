import AdminEndpoints
import EndpointKit
import ServerComposition
import WorkerRuntime

extension Role {
  /// The main process, or the whole server: everything that the configuration does not give away.
  static let homeserver = Role(name: "homeserver", kind: .homeserver) { context in
    let services = try ProcessServices(context)
    let registration = SharedSecretRegistrationEndpoints(config: context.config, accounts: services.accounts)
    return services.role(
      families: services.clientFamilies(context) + [
        EndpointFamily(name: "administration", endpoints: registration.endpoints),
        services.replicationFamily(context),
      ])
  }
}
