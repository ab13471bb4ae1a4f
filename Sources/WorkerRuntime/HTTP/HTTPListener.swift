import ByteText
import EndpointKit
import Glibc
import HummingbirdCore
import HummingbirdTLS
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import ServerConfig
import ServiceLifecycle

/// A service that listens on the sockets of one `listeners` entry and hands what arrives to a router.
///
/// A graceful shutdown closes the sockets and idle connections at once; connections with a request in progress close after its response.
final class HTTPListener: Service {
  /// The time after which connections without activity are closed. Nginx keeps its upstream connections for 60 seconds.
  private static let idleTimeout = TimeAmount.seconds(90)

  private let settings: ListenerSettings
  private let tls: TLSConfiguration?
  private let adapter: RequestAdapter
  private let maximumConnections: Int
  private let readiness: StartReadiness
  private let logger: Logger

  /// Prepares a listener.
  ///
  /// - Parameters:
  ///   - settings: the entry of the configuration.
  ///   - tls: certificate and key, for an entry with `tls: true`.
  ///   - adapter: answers requests.
  ///   - maximumConnections: of the whole process; beyond them this listener accepts none.
  ///   - readiness: informed as each socket opens.
  ///   - logger: receives notices and warnings.
  init(
    _ settings: ListenerSettings, tls: TLSConfiguration?, adapter: RequestAdapter, maximumConnections: Int = .max,
    readiness: StartReadiness, logger: Logger
  ) {
    self.settings = settings
    self.tls = tls
    self.adapter = adapter
    self.maximumConnections = maximumConnections
    self.readiness = readiness
    self.logger = logger
    readiness.expect(Self.addresses(settings).count)
  }

  /// Opens the sockets one after the other, since of two that cover the same port the first wins; then serves until stopped.
  func run() async throws {
    let addresses = Self.addresses(settings)
    try await withThrowingTaskGroup(of: Void.self) { group in
      var isServing = false
      for (index, address) in addresses.enumerated() {
        let isOptional = Self.isOptional(address, addresses) && (isServing || index + 1 < addresses.count)
        let (opening, opened) = AsyncStream<Void>.makeStream()
        group.addTask {
          defer { opened.finish() }
          try await self.serve(address, isOptional: isOptional) {
            opened.yield()
            opened.finish()
          }
        }
        for await _ in opening { isServing = true }
      }
      // Not waitForAll(), which reports a failure only when all have ended.
      for try await _ in group {}
    }
  }

  private enum Address: Equatable {
    case tcp(host: Text, port: Int)
    case unix(path: Text, mode: Int)
  }

  private static func addresses(_ settings: ListenerSettings) -> [Address] {
    switch settings.endpoint {
    case .tcp(let addresses, let port):
      // `::` covers IPv4 as well on most systems, so it comes first.
      (addresses.filter { $0 == "::" } + addresses.filter { $0 != "::" }).map { .tcp(host: $0, port: port) }
    case .unix(let path, let mode): [.unix(path: path, mode: mode)]
    }
  }

  /// Where `::` covers IPv4 the second of the two standard addresses finds its port taken, and a container may lack IPv6:
  /// either one of the two is enough.
  private static func isOptional(_ address: Address, _ all: [Address]) -> Bool {
    guard case .tcp(let host, let port) = address else { return false }
    if host == "0.0.0.0" { return all.contains(.tcp(host: "::", port: port)) }
    return host == "::" && all.contains(.tcp(host: "0.0.0.0", port: port))
  }

  private func serve(
    _ address: Address, isOptional: Bool, whenOpen: @escaping @Sendable () -> Void
  ) async throws {
    let adapter = adapter
    let http = HTTP1Channel(
      responder: { _, _, _ in },  // ConnectionChannel brings one for each connection.
      configuration: HTTP1Channel.Configuration(
        additionalChannelHandlers: [ConnectionObserver(adapter.connections)], idleTimeout: Self.idleTimeout))
    do {
      if let tls {
        try await run(try TLSChannel(http, tlsConfiguration: tls), on: address, whenOpen)
      } else {
        try await run(http, on: address, whenOpen)
      }
    } catch let error as IOError where isOptional {
      readiness.opened()
      logger.debug("Not listening on \(describe(address)): \(String(cString: strerror(error.errnoCode)))")
    } catch let error as IOError {
      throw StartError("cannot listen on \(describe(address)): \(String(cString: strerror(error.errnoCode)))")
    }
  }

  private func run<Base: ServerChildChannel>(
    _ base: Base, on address: Address, _ whenOpen: @escaping @Sendable () -> Void
  ) async throws where Base.Value == HTTP1Channel.Value {
    let target: BindAddress =
      switch address {
      case .tcp(let host, let port): .hostname(host.string, port: port)
      case .unix(let path, _): .unixDomainSocket(path: path.string)
      }
    var quiet = logger
    quiet.logLevel = max(quiet.logLevel, .warning)
    let server = Server(
      childChannelSetup: ConnectionChannel(base: base, adapter: adapter),
      configuration: ServerConfiguration(address: target, backlog: 1_024),
      onServerRunning: { channel in
        if case .unix(let path, let mode) = address { chmod(path.string, mode_t(mode)) }
        await self.addGate(to: channel, address)
        self.logger.info("Listening on \(self.describe(address))")
        self.readiness.opened()
        whenOpen()
      },
      eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: quiet)
    try await server.run()
  }

  private func addGate(to channel: any Channel, _ address: Address) async {
    let name = describe(address)
    let added = channel.eventLoop.submit { [adapter, maximumConnections, logger] in
      let gate = AcceptGate(
        connections: adapter.connections, maximumConnections: maximumConnections, name: name, logger: logger)
      try channel.pipeline.syncOperations.addHandler(gate, position: .first)
    }
    do {
      try await added.get()
    } catch {
      // The socket has been closed already.
      logger.debug("\(name) is closed: \(error)")
    }
  }

  private func describe(_ address: Address) -> String {
    switch address {
    case .tcp(let host, let port):
      "TCP \(host.contains(":") ? "[\(host)]" : host):\(port)\(tls == nil ? "" : " (TLS)")"
    case .unix(let path, _): "unix socket \(path)"
    }
  }
}
