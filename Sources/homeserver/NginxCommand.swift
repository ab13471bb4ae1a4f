import ArgumentParser
import EndpointKit
import ServerConfig
import WorkerRuntime

/// Prints an nginx configuration for a cluster.
struct NginxCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "nginx",
    abstract: "Prints an nginx configuration that spreads requests over the processes of a cluster.",
    discussion: """
      The output belongs into nginx' http block, for example as /etc/nginx/conf.d/matrix.conf. TLS is added there, or by \
      another server in front.
      """)

  @Option(name: [.customShort("c"), .long], help: "A configuration file of the main process. May be repeated.")
  var configPath: [String]

  @Option(
    name: [.customShort("w"), .customLong("worker-config")],
    help: "The configuration file of one worker. May be repeated.")
  var workers: [String] = []

  @Option(
    name: [.customShort("l"), .long], help: "What nginx listens on, such as 8448 or 127.0.0.1:8008. May be repeated.")
  var listen: [String] = ["80"]

  func run() async throws {
    do {
      print(try await text(), terminator: "")
    } catch {
      throw StartFailure.report(error)
    }
  }

  private func text() async throws -> String {
    let runtime = try ProcessRuntime(role: .homeserver, configPaths: configPath)
    let config = runtime.config
    guard let main = config.clientInstance else {
      throw StartError("the main process has no listener with the resource client, expected one for nginx to reach")
    }
    let others = try workers.map { path in
      try HomeserverConfig.load(paths: configPath + [path], role: .worker).0.clientInstance
    }
    let writers = config.streamWriters
    let clients = try await runtime.families().filter { $0.resource != "replication" && $0.resource != "metrics" }
    return NginxConfiguration(
      endpoints: clients.flatMap(\.endpoints), main: main, workers: others.compactMap(\.self),
      writers: { writers[$0.rawValue] }, listen: listen,
      maximumBodyBytes: Int(config.limits.maximumUploadBytes)
    ).text
  }
}

extension HomeserverConfig {
  /// Says where nginx reaches the process for clients; nil when it serves none.
  fileprivate var clientInstance: NginxConfiguration.Instance? {
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
