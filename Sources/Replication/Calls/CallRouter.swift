import MatrixPrimitives
import ServerConfig

/// The routing of calls: they are carried out in this process, or the process is asked whose they are.
public struct CallRouter: Sendable {
  private let instanceName: Text
  private let writers: @Sendable (StreamName) -> [Text]
  private let client: ReplicationClient?

  /// Makes a router.
  /// - Parameters:
  ///   - config: the settings, which say who writes which stream.
  ///   - client: the way to other processes; nil in a server of one process.
  public init(config: HomeserverConfig, client: ReplicationClient?) {
    self.init(
      instanceName: config.instanceName, writers: { config.writers(of: $0) }, client: client)
  }

  init(instanceName: Text, writers: @escaping @Sendable (StreamName) -> [Text], client: ReplicationClient?) {
    self.instanceName = instanceName
    self.writers = writers
    self.client = client
  }

  /// Whether there are no other processes.
  public var isAlone: Bool { client == nil }

  /// Returns whether this process carries out calls to a destination.
  public func isHere(_ destination: CallDestination) -> Bool {
    switch destination {
    case .main: instanceName == HomeserverConfig.mainInstanceName
    case .writer(let stream): writers(stream).contains(instanceName)
    case .firstWriter, .shard: instance(for: destination) == instanceName
    }
  }

  /// Carries a call out here when this is its destination, else has it carried out there.
  ///
  /// After an answer from elsewhere this process has seen what the other one wrote, or has waited 5 s for it.
  /// - Parameters:
  ///   - call: the call.
  ///   - body: carries it out in this process.
  /// - Throws: what the body throws, here or there; as ``ask(_:)``.
  public func perform<Call: ReplicationCall>(
    _ call: Call, here body: (Call) async throws -> Call.Answer
  ) async throws -> Call.Answer {
    if isHere(call.destination) { return try await body(call) }
    return try await ask(call)
  }

  /// Asks another process, one of several chosen at random, to carry a call out.
  /// - Throws: `MatrixError` as the other process reported it, 502 when it cannot be reached, 500 when there is none.
  public func ask<Call: ReplicationCall>(_ call: Call) async throws -> Call.Answer {
    guard let client, let instance = instance(for: call.destination) else {
      throw MatrixError.unknown("There is no process for the call \(Call.name)", status: 500)
    }
    return try await client.call(call, instance: instance)
  }

  private func instance(for destination: CallDestination) -> Text? {
    switch destination {
    case .main: HomeserverConfig.mainInstanceName
    case .writer(let stream): writers(stream).randomElement()
    case .firstWriter(let stream): writers(stream).first
    case .shard(let stream, let key): Sharding.instance(for: key, in: writers(stream))
    }
  }
}
