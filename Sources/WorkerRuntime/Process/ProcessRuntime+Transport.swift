import Logging
import NIOSSL
import Redis
import Replication
import ServerConfig

extension ProcessRuntime {
  /// Chooses how rows reach other processes: by Redis where one is configured, else not at all.
  ///
  /// - Throws: `StartError` when a certificate for Redis cannot be read.
  func transport() throws -> any ReplicationTransport {
    guard let redis = config.redis else { return InMemoryTransport() }
    let endpoint: RedisConfiguration.Endpoint =
      if let path = redis.path { .unix(path: path) } else { .tcp(host: redis.host, port: redis.port) }
    let configuration = RedisConfiguration(
      endpoint: endpoint, username: redis.username, password: redis.password, database: redis.databaseIndex ?? 0,
      tls: redis.usesTLS ? try Self.tls(redis) : nil)
    return RedisTransport(
      configuration: configuration, serverName: config.serverName,
      receivesUserIP: config.isMainProcess || config.duties.runsBackgroundTasks,
      logger: Logger(label: "myelin.redis"))
  }

  private static func tls(_ redis: RedisSettings) throws -> TLSConfiguration {
    var tls = TLSConfiguration.makeClientConfiguration()
    tls.minimumTLSVersion = .tlsv12
    if let authorities = redis.caFile ?? redis.caPath { tls.trustRoots = .file(authorities.string) }
    guard let certificate = redis.certificateFile, let key = redis.privateKeyFile else { return tls }
    do {
      tls.certificateChain = try NIOSSLCertificate.fromPEMFile(certificate.string).map { .certificate($0) }
      tls.privateKey = .privateKey(try NIOSSLPrivateKey(file: key.string, format: .pem))
    } catch {
      throw StartError("cannot read the certificate for Redis, \(certificate), or its key \(key): \(error)")
    }
    return tls
  }
}
