import EndpointKit
import MatrixPrimitives
import Replication
import ReplicationEndpoints
import ServerConfig

/// One executable: its name, its part in a cluster, and the subsystems that it is made of.
package struct Role: Sendable {
  /// A closure that puts the subsystems together. Called once, before the hub runs and before any socket opens.
  package typealias Composer = @Sendable (ProcessContext) async throws -> Composition

  /// The executable's name in logs.
  package let name: String
  /// Main process or worker; decides which configuration is accepted.
  package let kind: HomeserverConfig.Role
  let compose: Composer

  /// Describes an executable.
  ///
  /// - Parameters:
  ///   - name: for logs.
  ///   - kind: main process or worker.
  ///   - compose: puts the subsystems together.
  package init(_ name: String, kind: HomeserverConfig.Role, compose: @escaping Composer) {
    self.name = name
    self.kind = kind
    self.compose = compose
  }
}

/// The subsystems of a process.
package struct Composition: Sendable {
  /// In the order of their dependencies.
  package let subsystems: [any Subsystem]
  /// The lookup of callers.
  package let authenticator: Router.Authenticator

  /// Lists the subsystems of a process.
  ///
  /// - Parameters:
  ///   - subsystems: in the order of their dependencies.
  ///   - authenticator: finds the callers of requests; without it nobody has an account.
  package init(
    _ subsystems: [any Subsystem],
    authenticator: Router.Authenticator = Router.Authenticator { _, _ in throw MatrixError.unknownToken() }
  ) {
    self.subsystems = subsystems
    self.authenticator = authenticator
  }

  /// Returns the endpoints of all subsystems, and those of the calls that they carry out.
  func families(_ context: ProcessContext) -> [EndpointFamily] {
    let calls = CallEndpoints(
      subsystems.flatMap(\.calls), isMainProcess: context.config.isMainProcess,
      positions: ReplicationPositions(hub: context.hub), clock: context.clock)
    return subsystems.flatMap(\.families) + [calls.family, StreamUpdateEndpoints(hub: context.hub).family]
  }
}
