import ArgumentParser
import AsyncHTTPClient
import NIOCore
import NIOPosix

/// The server that is measured.
struct ServerArguments: ParsableArguments {
  @Option(help: "The server's address, such as http://localhost:8008.")
  var baseURL: String

  @Option(help: "A unix socket on which the server listens, in place of the address' host and port.")
  var unixSocket: String?

  @Option(help: "The server's registration_shared_secret, where registration is closed.")
  var sharedSecret: String?

  @Option(help: "The file with the data's users and rooms. Made, with the data, when missing.")
  var data = "bench-data.json"

  func target() throws -> Target { try Target(baseURL: baseURL, unixSocket: unixSocket) }

  /// Runs a body with what calls the API, and ends its connections behind it.
  func withAPI<T>(_ body: (ClientAPI) async throws -> T) async throws -> T {
    var configuration = HTTPClient.Configuration()
    configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 64
    let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    do {
      let result = try await body(ClientAPI(try target(), client: client))
      try await client.shutdown()
      return result
    } catch {
      try? await client.shutdown()
      throw error
    }
  }
}
