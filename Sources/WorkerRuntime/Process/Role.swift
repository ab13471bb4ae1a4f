import EndpointKit
import ServerConfig
import ServiceLifecycle

/// Says what one executable is: its name, its part in a cluster, and how its services are put together.
public struct Role: Sendable {
  /// Puts services and endpoints together. Called once, before the hub runs and before any socket opens.
  public typealias Composer = @Sendable (ProcessContext) async throws -> RoleServices

  /// Names the executable in logs.
  public let name: String
  /// Tells the main process from workers.
  public let kind: HomeserverConfig.Role
  /// Puts services and endpoints together.
  public let compose: Composer

  /// Describes an executable.
  ///
  /// - Parameters:
  ///   - name: for logs.
  ///   - kind: main process or worker; decides which configuration is accepted.
  ///   - compose: puts services and endpoints together.
  public init(name: String, kind: HomeserverConfig.Role, compose: @escaping Composer) {
    self.name = name
    self.kind = kind
    self.compose = compose
  }
}

/// Holds what a role has put together.
public struct RoleServices: Sendable {
  /// Lists all endpoints; the runtime mounts those that listeners and role call for.
  public var families: [EndpointFamily]
  /// Finds the callers of access tokens.
  public var authenticator: Router.Authenticator
  /// Lists loops of the role, in the order of their dependencies. They start after the hub and stop before it, in reverse order, when they
  /// see a graceful shutdown.
  public var services: [any Service]
  /// Reads what must be known before the first request; the streams' positions are known. Called before the hub runs.
  public var start: @Sendable () async throws -> Void
  /// Answers all long polls and lets none wait from now on. Called when the process begins to stop.
  public var drain: @Sendable () async -> Void
  /// Says goodbye to the other processes after the last request, before the hub stops.
  public var finish: @Sendable () async -> Void
  /// Adds the role's own metrics.
  public var metrics: @Sendable (inout MetricsText) -> Void

  /// Gathers the parts.
  ///
  /// - Parameters:
  ///   - families: all endpoints.
  ///   - authenticator: finds the callers of access tokens.
  ///   - services: loops.
  ///   - start: reads what must be known before the first request.
  ///   - drain: answers all long polls.
  ///   - finish: says goodbye to the other processes.
  ///   - metrics: adds metrics.
  public init(
    families: [EndpointFamily], authenticator: Router.Authenticator, services: [any Service] = [],
    start: @escaping @Sendable () async throws -> Void = {}, drain: @escaping @Sendable () async -> Void = {},
    finish: @escaping @Sendable () async -> Void = {},
    metrics: @escaping @Sendable (inout MetricsText) -> Void = { _ in }
  ) {
    self.families = families
    self.authenticator = authenticator
    self.services = services
    self.start = start
    self.drain = drain
    self.finish = finish
    self.metrics = metrics
  }
}
