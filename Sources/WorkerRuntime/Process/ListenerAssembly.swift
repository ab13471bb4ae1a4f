import ByteText
import EndpointKit
import HTTPTypes
import Logging
import MatrixPrimitives
import NIOSSL
import Postgres
import Replication
import ServerConfig

/// The listeners of a process, made from its settings and a role's endpoints.
struct ListenerAssembly: Sendable {
  let config: HomeserverConfig
  let families: [EndpointFamily]
  let authenticator: Router.Authenticator
  let replication: ReplicationClient?
  let requests: RequestMetrics
  let metricsPage: @Sendable () -> String
  let deadlines: DeadlineWatch
  let connections: ConnectionRegistry
  let readiness: StartReadiness
  let logger: Logger

  /// Makes one service for each `listeners` entry.
  ///
  /// - Throws: `StartError` for a certificate that cannot be read or endpoints that collide.
  func listeners() throws -> [HTTPListener] {
    let date = HTTPDate()
    return try config.listeners.map { settings in
      let adapter = RequestAdapter(
        router: try router(settings), connections: connections, deadlines: deadlines,
        trustsForwardedFor: settings.trustsForwardedHeaders,
        requestIDHeader: settings.requestIDHeader.flatMap { HTTPField.Name($0.string) },
        compressedResources: RequestAdapter.CompressionRule(prefixes: Self.compressedPrefixes(settings)),
        date: date)
      return HTTPListener(
        settings, tls: settings.usesTLS ? try tls() : nil, adapter: adapter,
        maximumConnections: Self.facesClients(settings) ? FileLimit.clientConnections() : FileLimit.ownConnections(),
        readiness: readiness, logger: logger)
    }
  }

  /// Makes the router of a listener.
  ///
  /// - Throws: `StartError` for endpoints that collide.
  func router(_ listener: ListenerSettings) throws -> Router {
    let tag = Self.tag(listener)
    let access = Logger(label: "synapse.access.\(listener.usesTLS ? "https" : "http").\(tag)")
    let requests = requests
    let settings = Router.Settings(
      authenticator: authenticator,
      forwarding: replication.map { RequestForwarding.forwarding(config, $0) },
      replicationSecret: config.replicationSecret, deadlines: deadlines, refusal: Self.refusal,
      logger: Logger(label: "myelin.http")
    ) { record in
      requests.record(record)
      AccessLog.write(record, tag: tag, to: access)
    }
    let router = Router(endpoints(listener, settings), settings: settings)
    if let conflict = router.conflicts.first { throw StartError("two endpoints for one path: \(conflict)") }
    return router
  }

  /// Answers 400 for values that the database can never store. Most are refused before; this catches those that, like a NUL
  /// in a token to look up, need no check of their own.
  private static func refusal(_ error: any Error) -> MatrixError? {
    guard let error = error as? PostgresError, error.refusesValue else { return nil }
    return .invalidParam("A value of the request cannot be stored: it holds a NUL or is too long")
  }

  private func endpoints(_ listener: ListenerSettings, _ settings: Router.Settings) -> [Endpoint] {
    let forOthers = Router(families.filter { $0.resource != "replication" }.flatMap(\.endpoints), settings: settings)
    let own = [OwnEndpoints.health, OwnEndpoints.metrics(metricsPage), RequestForwarding.family(forOthers)]
    return (own + families).filter { family in
      if family.resource == "health" { return true }
      if family.resource == "metrics" { return listener.serves("metrics") && config.server.keepsMetrics }
      // Federation has the endpoint of OpenID with everything else.
      if family.resource == "openid", listener.serves("federation") { return true }
      return listener.serves(family.resource)
    }.flatMap(\.endpoints)
  }

  private func tls() throws -> TLSConfiguration {
    guard let certificatePath = config.server.tlsCertificatePath, let keyPath = config.server.tlsPrivateKeyPath else {
      throw StartError("a listener has tls: true, but tls_certificate_path or tls_private_key_path is missing")
    }
    do {
      let chain = try NIOSSLCertificate.fromPEMFile(certificatePath.string).map {
        NIOSSLCertificateSource.certificate($0)
      }
      let key = try NIOSSLPrivateKey(file: keyPath.string, format: .pem)
      var tls = TLSConfiguration.makeServerConfiguration(certificateChain: chain, privateKey: .privateKey(key))
      tls.minimumTLSVersion = TLSVersion(config.server.minimumTLSVersion)
      return tls
    } catch {
      throw StartError("cannot read the TLS certificate \(certificatePath) or key \(keyPath): \(error)")
    }
  }

  /// Returns whether strangers may open connections to a listener; those of other processes must not have to wait for
  /// theirs.
  private static func facesClients(_ listener: ListenerSettings) -> Bool {
    listener.kind == .http
      && listener.resources.flatMap(\.names).contains { !["replication", "health", "metrics"].contains($0) }
  }

  private static func tag(_ listener: ListenerSettings) -> String {
    if let tag = listener.tag { return tag.string }
    switch listener.endpoint {
    case .tcp(_, let port): return String(port)
    case .unix(let path, _): return path.string
    }
  }

  private static func compressedPrefixes(_ listener: ListenerSettings) -> [Text] {
    let prefixes: [Text: [Text]] = [
      "client": ["/_matrix/client/"], "federation": ["/_matrix/federation/"], "keys": ["/_matrix/key/"],
    ]
    return listener.resources.filter(\.compresses).flatMap(\.names).flatMap { prefixes[$0] ?? [] }
  }
}
