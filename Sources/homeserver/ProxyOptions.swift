import ArgumentParser
import ByteText
import EndpointKit
import ServerConfig
import WorkerRuntime

/// The processes of a cluster, for the commands that write a proxy's configuration.
struct ProxyOptions: ParsableArguments {
  @Option(name: [.customShort("c"), .long], help: "A configuration file of the main process. May be repeated.")
  var configPath: [String]

  @Option(
    name: [.customShort("w"), .customLong("worker-config")],
    help: "The configuration file of one worker. May be repeated.")
  var workers: [String] = []

  /// Reads the processes' configurations.
  ///
  /// - Returns: which of them serves what, and the largest body of a request in bytes.
  func plan() async throws -> (plan: ProxyPlan, maximumBodyBytes: Int) {
    let runtime = try ProcessRuntime(role: .homeserver, configPaths: configPath, acceptsUnsupported: true)
    let config = runtime.config
    guard let main = config.clientInstance else {
      throw StartError("the main process has no listener with the resource client, expected one for the proxy to reach")
    }
    let others = try workers.map { path in
      try HomeserverConfig.load(paths: (configPath + [path]).map { Text($0) }, role: .worker, acceptsUnsupported: true)
        .0.clientInstance
    }
    let clients = try await runtime.families().filter { $0.resource != "replication" && $0.resource != "metrics" }
    let plan = ProxyPlan(
      endpoints: clients.flatMap(\.endpoints), main: main, workers: others.compactMap(\.self),
      writers: { config.writers(of: $0) })
    return (plan, Int(clamping: config.limits.maximumUploadBytes))
  }
}

extension HomeserverConfig {
  /// The address at which a proxy reaches the process for clients; nil when it serves none.
  fileprivate var clientInstance: ProxyPlan.Instance? {
    guard let listener = listeners.first(where: { $0.serves("client") && !$0.usesTLS }) else { return nil }
    switch listener.endpoint {
    case .unix(let path, _): return .init(name: instanceName, address: "unix:\(path)")
    case .tcp(let addresses, let port):
      let address = addresses.first ?? "127.0.0.1"
      let isAny = address == "::" || address == "0.0.0.0"
      let host = isAny ? "127.0.0.1" : address.contains(":") ? "[\(address)]" : address
      return .init(name: instanceName, address: "\(host):\(port)")
    }
  }
}
